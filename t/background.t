# What nginx still does when a call has been answered, or when its run has ended:
# updates in the background (proxy_cache_background_update), and reads by threads.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Resets qw( http1 );
use DFP::Results;
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY     => 'http://registry.test',
    FILES        => 'http://files.test',
    MANY         => 20,
    SECOND       => 1_000_000_000,  # ns
    UPDATE_LIMIT => 10,             # s
    BIG          => 32 * 1024 * 1024,
    READS        => 100,            # of it, which take the thread seconds
};

my $upstream = DFP::Upstream->start;
my $cdn = DFP::Upstream->start;
my $port = $upstream->port;
my $background = <<'END';
proxy_cache_use_stale updating error timeout;
proxy_cache_background_update on;
END


sub updating
{
    my ($path, $origin, @lines) = @_;

    return location($path, $origin, $port, 'proxy_cache files;', $background,
                    'include cache.conf;', @lines);
}


sub files
{
    my ($name) = @_;

    my @paths = map { "/files/$name-$_" } 1 .. MANY;
    $upstream->answers($_, { body => "what is in $_" }) for @paths;

    return @paths;
}


# How often each path was requested of the upstream.

sub counts { return map { scalar $_[0]->requests($_) } @_[ 1 .. $#_ ] }


warm_story 'a job that meets stale copies', {}, updating('/files/', FILES),
sub {
    my $warm = shift;

    my @paths = files('stale');
    my @job = ('file', urls => [ map { FILES . $_ } @paths ]);

    is($warm->run(@job)->{state}, 'SUCCESS', 'they were fetched once');
    $warm->expire(@paths);

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'it waits for what nginx updates meanwhile')
        or diag(error($job));
    $warm->hits('clients get the new ones from the cache', @paths);
    is_deeply([ counts($upstream, @paths) ], [ (2) x @paths ],
              'and each was asked for once more');
};


warm_story 'a job that ends while nginx updates', {},
           updating('/files/', FILES), sub
{
    my $warm = shift;

    my @paths = files('slow');
    my @urls = map { FILES . $_ } @paths;

    is($warm->run('file', urls => \@urls)->{state}, 'SUCCESS', 'once');
    $warm->expire(@paths);
    $upstream->answers($_, { body => 'new ' x 1000, every => 0.1 }) for @paths;

    my $job = $warm->run('file', urls => \@urls, timeout => SECOND);
    is($job->{state}, 'FAILURE', 'its time has passed');
    like(error($job), qr/timeout/, 'and it says so');

    $upstream->answers($_, { body => 'third' }) for @paths;
    $job = $warm->run('file', urls => \@urls);
    is($job->{state}, 'SUCCESS', 'another one goes well') or diag(error($job));
    $warm->hits('and clients hit', @paths);
};


warm_story 'an expired blob behind a redirect', {},
           updating('/v2/', REGISTRY, 'include follow.conf;') . <<"END", sub
location \@dfpreheat_redirect {
    dfpreheat_redirect http://127.0.0.1:${\ $cdn->port };
    proxy_cache files;
    $background
    include cache.conf;
    include redirect.conf;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
}
END
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'app');
    my $manifest = $image->manifest($image->layer('one'));
    my @blobs = grep { m{/blobs/} } $image->paths($manifest);
    $image->tag('1', $manifest);

    for my $path (@blobs) {
        $cdn->answers($path, { body => $upstream->body($path) });
        $upstream->answers($path, { status => 307, headers => [
            Location => 'http://127.0.0.1:' . $cdn->port . $path ] });
    }

    my @job = ('image', url => REGISTRY . $image->by_tag('1'));

    is($warm->run(@job)->{state}, 'SUCCESS', 'it was fetched once');
    $warm->expire(@blobs);

    is_deeply($warm->cached(@blobs), [ map { "STALE $_" } @blobs ],
              'clients get the old one');
    ok(wait_until(UPDATE_LIMIT, sub {
           !grep { ($warm->pull($_))[1] ne 'HIT' } @blobs }),
       'and soon the new one');
    is_deeply([ counts($cdn, @blobs) ], [ (2) x @blobs ],
              'which was fetched from where the redirect leads');

    $warm->expire(@blobs);
    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job has it updated, too')
        or diag(error($job));
    is_deeply([ counts($cdn, @blobs) ], [ (3) x @blobs ], 'once');
};


warm_story 'a job for a layer that a client has updated', {},
           updating('/v2/', REGISTRY), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'slow');
    my $layer = $image->layer('layer ' x 100);
    my $path = $image->path($layer);
    my $body = $upstream->body($path);
    my @job = ('image', url => REGISTRY . $image->by_tag('1'));

    $image->tag('1', $image->manifest($layer));
    is($warm->run(@job)->{state}, 'SUCCESS', 'it was fetched once');

    $warm->expire($path);
    $upstream->answers($path, { body => $body, every => 1 }, { body => $body });
    is(($warm->pull($path))[1], 'STALE', 'a client gets the old one');
    ok(wait_until(UPDATE_LIMIT, sub { $upstream->requests($path) == 2 }),
       'which is updated slowly');

    # nginx keeps that client's next request waiting for it
    $warm->another_client;

    my $job = $warm->run(@job);
    is($job->{state}, 'SUCCESS', 'a job does not wait for that')
        or diag(error($job));
    $warm->hits('and clients hit', $path);
};


my $html = tempdir('dfpreheat-html-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my %threads = (workers => 1, main => 'thread_pool default threads=1;');

warm_story 'a cache that threads read', \%threads,
           updating('/v2/', REGISTRY, 'aio threads;', 'sendfile off;'), sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'threads');
    my $manifest = $image->manifest($image->layer('one'));
    my @job = ('image', url => REGISTRY . $image->by_tag('1'));
    $image->tag('1', $manifest);

    for ('from the registry', 'from the cache') {
        my $job = $warm->run(@job);
        is($job->{state}, 'SUCCESS', $_) or diag(error($job));
    }

    $warm->hits('clients hit', $image->by_tag('1'), $image->paths($manifest));
};


# The address of the origin is looked up in a named location, and what proxy_pass
# gets is a part of the job's URL.

warm_story 'a job that ends while its calls wait for a thread', \%threads,
           <<"END", sub
location /big/ {
    root $html;
    aio threads;
    sendfile off;
    output_buffers 1 ${\ BIG };
}
location \@dfpreheat_calls {
    dfpreheat_origin http://127.0.0.1:$port any;
    proxy_pass \$dfpreheat_target;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
    proxy_cache files;
    include cache.conf;
    aio threads;
}
END
{
    my $warm = shift;

    my @paths = files('waits');
    my @urls = map { "http://127.0.0.1:$port$_" } @paths;

    mkdir "$html/big" or die "mkdir: $!";
    open my $big, '>', "$html/big/file" or die "$html: $!";
    truncate $big, BIG or die "truncate: $!";
    close $big;

    is($warm->run('file', urls => \@urls)->{state}, 'SUCCESS', 'once');
    $warm->expire(@paths);

    my $resets = DFP::Resets->new(port => $warm->{port});
    $resets->run(READS, http1('GET', '/big/file'));
    my $job = $warm->run('file', urls => \@urls, timeout => SECOND);
    isnt($job->{state}, 'PENDING', 'its time passes, or a thread was fast');

    $job = $warm->run('file', urls => \@urls);
    is($job->{state}, 'SUCCESS', 'and the next one goes well')
        or diag(error($job));
};


# What answers in the place of the location.

warm_story 'a server that answers all requests itself', {},
           'return 301 https://$host$request_uri;'
           . updating('/files/', FILES), sub
{
    my $warm = shift;

    my $job = $warm->run('file', url => FILES . '/files/a');

    like(error($job), facts('server block | 301 | "return"'),
         'is named by the job');
};


warm_story 'a server that hangs up on all requests', {},
           'return 444;' . updating('/files/', FILES), sub
{
    my $warm = shift;

    my $job = $warm->run('file', url => FILES . '/files/a');

    like(error($job), facts('server block | 444 | "return"'),
         'is named by the job');
};

done_testing();
