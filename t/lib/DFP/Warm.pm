# Jobs and pulls through an nginx of DFP::Story, for tests of what is in the
# cache afterwards:
#
#     my $upstream = DFP::Upstream->start;
#     warm_story 'what a user would see', front($upstream, ...), sub {
#         my $warm = shift;
#         ...
#     };

package DFP::Warm;

use strict;
use warnings;

use Exporter qw( import );
use File::Find qw( find );
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use Test::More;

use DFP::Process qw( free_port wait_until );
use DFP::Story qw( story );

our @EXPORT = qw( calls location redirects rehearsal warm_story
                  whole_answer );

use constant {
    JOB_SECONDS  => 40,
    PULL_SECONDS => 5,
    KEY_MAX      => 8192,
    READ_SIZE    => 65536,
    STORED       => 5,      # s
    VALID_SEC    => 8,      # where it is in a file, and ...
    DATE         => 40,     # ... since when
};


# A story with one more server, of these locations, in which X-Cache tells how
# an answer came about. FRONT in them is its address. Other options are those of
# a story.

sub warm_story
{
    my ($name, $options, $locations, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $port = free_port();
    my %options = %$options;

    $locations =~ s/\bFRONT\b/127.0.0.1:$port/g;
    $options{http} = ($options{http} // '') . <<"END";
    server {
        listen 127.0.0.1:$port;
        add_header X-Cache \$upstream_cache_status always;
        $locations
    }
END

    story $name, \%options, sub {
        my $servers = shift;

        my $self = bless { servers => $servers, port => $port };

        $self->another_client;
        $code->($self);
    };
}


# What follows is pulled over a connection of its own.

sub another_client
{
    my $self = shift;

    $self->{http} = HTTP::Tiny->new(timeout => PULL_SECONDS,
                                    max_redirect => 0);
}


# The location of a path that serves an origin from an upstream's port. Where
# no lines are given it caches as a user's does.

sub location
{
    my ($path, $origin, $port, @lines) = @_;

    @lines = ('proxy_cache files;', 'include cache.conf;') if !@lines;

    return join "\n", "location $path {", "dfpreheat_origin $origin;",
                      "proxy_pass http://127.0.0.1:$port;", @lines, '}', '';
}


# The location of calls to these origins.

sub calls
{
    my @origins = @_;

    return <<"END";
location \@dfpreheat_calls {
    dfpreheat_origin @origins;
    include calls.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
}


# The location of the requests of rehearsals to a front: the server of the story
# where none is given. A file has the authorities that it trusts.

sub rehearsal
{
    my ($front, $trusted) = @_;

    $front //= 'http://FRONT';
    $trusted //= '/etc/ssl/certs/ca-certificates.crt';

    return <<"END";
location \@dfpreheat_verify {
    dfpreheat_verify $front;
    include calls.conf;
    proxy_ssl_trusted_certificate $trusted;
}
END
}


# The location that follows redirects to these origins.

sub redirects
{
    my @origins = @_;

    return <<"END";
location \@dfpreheat_redirect {
    dfpreheat_redirect @origins;
    proxy_cache files;
    include cache.conf;
    include redirect.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
}


# Jobs that follow are posted with a token of these scopes.

sub scopes
{
    my ($self, @scopes) = @_;

    $self->{servers}{token} = $self->{servers}->token(@scopes);
}


# Jobs that follow are for these clusters.

sub clusters
{
    my ($self, @ids) = @_;

    $self->{clusters} = \@ids;
}


# Posts a job of this type; its id. Then, and at once, the job at its end.

sub post
{
    my ($self, $type, %args) = @_;

    my %where = $self->{clusters}
                ? (scheduler_cluster_ids => $self->{clusters}) : ();
    my $answer = $self->{servers}->client->post('/oapi/v1/jobs', {
        type => 'preheat', args => { type => $type, %args }, %where });

    die "no job: $answer->{body}" if $answer->{status} != 200;

    return $answer->{json}{id};
}


sub ended
{
    my ($self, $id) = @_;

    return $self->{servers}->ended_job($id, JOB_SECONDS);
}


sub run
{
    my ($self, @job) = @_;

    return $self->ended($self->post(@job));
}


# What a client gets: the body, and how the cache had a part in it.

sub pull
{
    my ($self, $path) = @_;

    my $answer = $self->{http}->get("http://127.0.0.1:$self->{port}$path");

    return ($answer->{content}, $answer->{headers}{'x-cache'} // '-');
}


# A client's request that is sent now; its whole answer, later.

sub ask
{
    my ($self, $path) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $self->{port})
        or die "no connection: $!";
    syswrite $socket, "GET $path HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";

    return $socket;
}


sub whole_answer
{
    my ($socket, $seconds) = @_;

    my $answer = '';

    while (IO::Select->new($socket)->can_read($seconds)) {
        sysread $socket, $answer, READ_SIZE, length $answer or return $answer;
    }

    die "no answer in time\n";
}


# Entries of the cache whose key ends so are expired from now on: the time until
# which one is valid stands in its file (ngx_http_file_cache_header_t).

sub expire
{
    my ($self, @paths) = @_;

    $self->_times(VALID_SEC, 1, @paths);
}


# They were stored at another time.

sub dated
{
    my ($self, $path, $time) = @_;

    $self->_times(DATE, $time, $path);
}


sub _times
{
    my ($self, $where, $time, @paths) = @_;

    my %missing = map { $_ => 1 } @paths;

    # nginx stores an answer a moment after its client has it

    wait_until(STORED, sub {
        find(sub {
            return if !-f;

            open my $file, '+<:raw', $_ or return;
            read $file, my $head, KEY_MAX;
            my ($key) = $head =~ /^KEY: (.*)$/m or return;
            my ($path) = grep { $key =~ /\Q$_\E$/ } @paths or return;

            seek $file, $where, 0 or die "seek: $!";
            print {$file} pack 'q', $time;
            close $file or die "$File::Find::name: $!";
            delete $missing{$path};
        }, "$self->{servers}{dir}/cache");

        return !%missing;
    });

    die 'not in the cache: ' . join ' ', sort keys %missing if %missing;
}


# For how many seconds the entry of a path is valid from when it was stored, or was
# found to be the same.

sub valid_for
{
    my ($self, $path) = @_;

    my $seconds;

    find(sub {
        return if !-f;

        open my $file, '<:raw', $_ or return;
        read $file, my $head, KEY_MAX;

        $seconds = unpack('q', substr $head, VALID_SEC)
                   - unpack('q', substr $head, DATE)
            if $head =~ /^KEY: \N*\Q$path\E$/m;
    }, "$self->{servers}{dir}/cache");

    return $seconds;
}


# The cache loses its files of these paths, or all, which nginx does not know.

sub lose_files
{
    my ($self, @paths) = @_;

    find(sub {
        return if !-f;

        if (@paths) {
            open my $file, '<:raw', $_ or return;
            read $file, my $head, KEY_MAX;

            return if !grep { $head =~ /^KEY: \N*\Q$_\E$/m } @paths;
        }

        unlink;
    }, "$self->{servers}{dir}/cache");
}


# How the cache has a part in the answer to a HEAD.

sub head
{
    my ($self, $path) = @_;

    my $answer = $self->{http}->head("http://127.0.0.1:$self->{port}$path");

    return $answer->{headers}{'x-cache'} // '-';
}


# Paths by how the cache answers them: "HIT /a", ...

sub cached
{
    my ($self, @paths) = @_;

    return [ map { ($self->pull($_))[1] . " $_" } @paths ];
}


# The bodies that are in the cache for a path, altered in place. The code changes the
# body that it gets.

sub alter
{
    my ($self, $path, $code) = @_;

    my $altered = 0;

    find({ no_chdir => 1, wanted => sub {
        return if !-f;

        open my $file, '+<:raw', $_ or die "$_: $!";
        local $/;
        my $text = <$file>;

        # what nginx puts first has any bytes in it, the answer follows the key

        my ($head, $body) = $text =~ /\A(.*?\nKEY: \N*\Q$path\E\n.*?\r\n\r\n)
                                      (.*)\z/xs or return;

        $code->() for $body;
        $altered++;

        seek $file, 0, 0;
        print {$file} $head, $body;
        truncate $file, length($head) + length $body;
        close $file or die "$_: $!";
    } }, "$self->{servers}{dir}/cache");

    die "$path is not in the cache" if !$altered;
}


sub hits
{
    my ($self, $name, @paths) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply($self->cached(@paths), [ map { "HIT $_" } @paths ], $name);
}

1;
