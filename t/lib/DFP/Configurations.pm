# Stories of nginx's other directives: each is an nginx.conf of its own, through
# which an image of two layers and a file are preheated and pulled. Either both
# jobs are a SUCCESS and all pulls are a HIT, or they fail with the right reason:
#
#     configuration 'threads read and write the cache',
#         lines => 'aio threads; aio_write on;';
#     configuration 'proxy_buffering off', caching => { proxy_buffering => 'off' },
#         fails => qr/proxy_buffering is off/;
#
# What a story may have:
#
#     main, http, workers, connections, command, modules    see DFP::Servers
#     server      more lines of the server
#     lines       more lines of its location
#     caching     other values of directives of dfpreheat_cache.conf, by their names
#                 (undef: not at all)
#     pass        what proxy_pass is, in the place of the upstream's address
#     locations   all of the locations, in the place of the one
#     layers      of the image (2)
#     files       of the job of files (1)
#     args        more args of both jobs
#     before      code that is run first
#     fails       the reason, for both jobs, or a hash of the reasons by type
#     pulls       how pulls are answered: HIT
#     altered     true: clients get other bytes than the origin's
#     logs        lines of level alert, crit or emerg that are expected
#     then        code that is run last; gets the DFP::Warm and what was pulled

package DFP::Configurations;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use Test::More;

use DFP::Image;
use DFP::Upstream;
use DFP::Warm;

our @EXPORT = qw( caching configuration configuration_location upstream );

use constant {
    ORIGIN => 'http://origin.test',
    LEASE  => '2s',     # of DFP::Servers
};

my $conf = abs_path(dirname(__FILE__) . '/../../../conf/dfpreheat_cache.conf');
my $upstream;
my $number = 0;


# What plays the origin of all stories.

sub upstream { return $upstream //= DFP::Upstream->start }


# dfpreheat_cache.conf with other values.

sub caching
{
    my %values = (proxy_cache_lock_age => LEASE, @_);

    open my $file, '<', $conf or die "$conf: $!";
    local $/;
    my $text = <$file>;

    for my $name (sort keys %values) {
        my $line = defined $values{$name} ? "$name $values{$name};" : '';

        $text =~ s/^\Q$name\E\s[^;]*;/$line/m or die "$conf has no $name";
    }

    return $text;
}


# The location of a path, with more lines.

sub configuration_location
{
    my ($path, %story) = @_;

    my $pass = $story{pass} // 'http://127.0.0.1:' . upstream()->port;
    my $lines = $story{lines} // '';
    my $caching = caching(%{ $story{caching} // {} });

    return <<"END";
location $path {
    dfpreheat_origin ${\ ORIGIN };
    proxy_pass $pass;
    proxy_cache files;
    $lines
    $caching
}
END
}


sub configuration
{
    my ($name, %story) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %options = (workers => 1, map { defined $story{$_} ? ($_ => $story{$_})
                                                          : () }
                   qw( main http workers connections command modules daemon ));
    my $server = ($story{server} // '') . "\n"
                 . ($story{locations} // configuration_location('/', %story));

    warm_story $name, \%options, $server, sub {
        my $warm = shift;

        _tell($warm, %story);
    };
}


sub _tell
{
    my ($warm, %story) = @_;

    $warm->{servers}->expects(undef, $story{logs}) if $story{logs};
    $story{before}->($warm) if $story{before};

    my %args = %{ $story{args} // {} };
    my ($url, @parts) = _image($story{layers} // 2);
    my @files = _files($story{files} // 1);
    my %ids = (
        image => $warm->post('image', url => $url, %args),
        file  => $warm->post('file', urls => [ map { ORIGIN . $_ } @files ],
                             %args),
    );

    for my $type (sort keys %ids) {
        my $fails = $story{fails};
        $fails = $fails->{$type} if ref $fails eq 'HASH';

        _ended($type, $warm->ended($ids{$type}), $fails);
    }

    my @paths = ($story{fails} ? () : (@parts, @files));

    _pulled($warm, \%story, @paths);
    $story{then}->($warm, @paths) if $story{then};
}


# An image's URL, and the paths of all that it has.

sub _image
{
    my $layers = shift;

    my $name = 'app-' . ++$number;
    my $image = DFP::Image->new(upstream(), $name);
    my $manifest = $image->manifest(map { $image->layer("layer $_ of $name") }
                                        1 .. $layers);

    $image->tag('1', $manifest);

    return (ORIGIN . $image->by_tag('1'), $image->by_tag('1'),
            $image->paths($manifest));
}


sub _files
{
    my $count = shift;

    my @paths = map { "/files/$number-$_" } 1 .. $count;

    upstream()->answers($_, { body => "what is in $_" }) for @paths;

    return @paths;
}


sub _ended
{
    my ($type, $job, $fails) = @_;

    my $error = $job->{result}{job_states}[0]{error};

    is($job->{state}, $fails ? 'FAILURE' : 'SUCCESS', "the job: $type")
        or diag($error);
    like($error, $fails, 'and its reason') if $fails;
}


sub _pulled
{
    my ($warm, $story, @paths) = @_;

    my @wrong;

    for my $path (@paths) {
        my ($body, $how) = $warm->pull($path);

        push @wrong, "$path: $how" if $how ne ($story->{pulls} // 'HIT');
        push @wrong, "$path: $body"
            if !$story->{altered} && $body ne upstream()->body($path);
    }

    is_deeply(\@wrong, [], 'clients get it from the cache') if @paths;
}

1;
