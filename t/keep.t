# Jobs with args.keep_until: what was warmed stays in the cache, or comes back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use JSON::PP ();
use Test::More;

use DFP::Image;
use DFP::Kept qw( :DEFAULT kept );
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    FORGOTTEN => 60,        # s: nginx looks for what to forget
    BRIEF    => 4000,       # ms: a look
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port);
my %often = (http => "dfpreheat_keep_interval 1s;\n"
                     . "dfpreheat_instance one address=192.0.2.1;\n");


# The value of a metric of nginx.

sub metric
{
    my ($warm, $name) = @_;

    my $text = $warm->{servers}->client->get('/metrics')->{body};

    return ($text =~ /^\Q$name\E (\S+)$/m)[0];
}


warm_story 'what is gone comes back', { %often }, $locations, sub
{
    my $warm = shift;

    my @paths = DFP::Image->tagged($upstream);
    my $id = kept($warm, HOUR, 'image', url => REGISTRY . $paths[0]);

    my $look = looked($warm->{servers}, $id);
    is("@$look{qw( hostname ip state error warmed_tasks )}",
       'one 192.0.2.1 SUCCESS  0', 'the job shows who keeps it');

    $upstream->forget_requests;
    $look = looked($warm->{servers}, $id);
    is_deeply([ $upstream->requests ], [], 'while all is there and valid, nobody '
              . 'is asked');

    $warm->lose_files;
    looked($warm->{servers}, $id);

    $warm->another_client;
    $upstream->forget_requests;
    $warm->hits('everything is there again', @paths);

    my ($runs, $tasks) = map { metric($warm, $_) }
        'dfpreheat_run_duration_seconds_count', 'dfpreheat_tasks_total{result="warmed"}';

    is($runs, 1, 'looks are no runs');
    is($tasks, 2 * @paths, '... what they fetch is counted');
};


# Images whose tag can be revalidated, and whose requests are those of its paths.

sub image
{
    my ($name, $bytes) = @_;

    my $image = DFP::Image->new($upstream, $name);
    my $manifest = $image->manifest($image->layer($bytes));

    $image->publish($image->by_tag('1'), $manifest);

    return ($image, $image->by_tag('1'), $image->paths($manifest));
}

sub asked { [ map { /^(\S+ \S+)/ } $upstream->requests ] }


warm_story 'a tag that has expired, and one that moves', { %often }, $locations, sub
{
    my $warm = shift;

    my ($image, $tag, @paths) = image('moving', 'first');
    my $id = kept($warm, HOUR, 'image', url => REGISTRY . $tag);

    looked($warm->{servers}, $id);
    $upstream->forget_requests;
    $warm->expire($tag);
    is(looked($warm->{servers}, $id)->{state}, 'SUCCESS', 'it is looked at');
    is_deeply([ map { [ /^(GET \S+)/, /^(If-None-Match):/m ] } $upstream->requests ],
              [ [ "GET $tag", 'If-None-Match' ] ],
              'the registry is asked whether the tag is the same, and nothing else');

    my $next = $image->manifest($image->layer('second'));

    $image->publish($tag, $next);
    $warm->expire($tag);
    is(looked($warm->{servers}, $id)->{state}, 'SUCCESS', 'the tag has moved');

    $warm->hits('the new image is there', $tag, $image->paths($next));
};


warm_story 'a file', { %often }, $locations, sub
{
    my $warm = shift;

    $upstream->answers('/files/a', { body => 'old' });

    my $id = kept($warm, HOUR, 'file', url => FILES . '/files/a',
                  refresh => JSON::PP::true);

    looked($warm->{servers}, $id);
    $upstream->forget_requests;
    looked($warm->{servers}, $id);
    is_deeply(asked(), [], 'one that is valid is not fetched, also with refresh');

    $upstream->answers('/files/a', { body => 'new' });
    $warm->expire('/files/a');
    looked($warm->{servers}, $id);
    is_deeply([ $warm->pull('/files/a') ], [ 'new', 'HIT' ],
              'one that has expired is fetched');
};


# Who may have a file is the origin's business: it cannot be looked up there.

warm_story 'private files and images', { http => $often{http} },
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache files;',
             'include cache.conf;', 'dfpreheat_access on;')
    . location('/files/', FILES, $upstream->port, 'proxy_cache files;',
               'include cache.conf;', 'dfpreheat_access on;'), sub
{
    my $warm = shift;

    my ($tag, @paths) = (image('private', 'private'))[1 .. 4];

    $upstream->answers('/files/private', { body => 'private' });

    my $image = kept($warm, HOUR, 'image', url => REGISTRY . $tag);
    my $file = kept($warm, HOUR, 'file', url => FILES . '/files/private');

    for my $id ($image, $file) {
        my $look = looked($warm->{servers}, $id);

        is("@$look{qw( state error warmed_tasks )}", 'SUCCESS  0', 'all is there');
    }

    $warm->lose_files;
    $upstream->forget_requests;
    looked($warm->{servers}, $_) for $image, $file;
    $upstream->forget_requests;
    is_deeply([ map { $warm->pull($_) } '/files/private', $paths[-1] ],
              [ 'private', 'HIT', 'private', 'HIT' ], 'all comes back');
};


# A zone forgets what was not used for 7 s, as nginx finds it every ten seconds or
# sooner. What is kept stays, also if the registry cannot tell what belongs to it,
# or does not answer until the time of the look is over.

my $forgetful = tempdir('dfpreheat-keep-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0777, $forgetful;

warm_story 'what nobody requests',
    { http => $often{http} . "proxy_cache_path $forgetful "
      . "keys_zone=forgetful:1m inactive=7s use_temp_path=off;\n" },
    location('/v2/', REGISTRY, $upstream->port, 'proxy_cache forgetful;',
             'include cache.conf;', 'dfpreheat_tag_valid 1s;'), sub
{
    my $warm = shift;

    my $files = sub { scalar grep { -f } glob "$forgetful/*" };
    my %answer = (answers => undef, refuses => { status => 503 },
                  hangs => { after => HOUR });
    my (%id, %tag, %paths);

    for my $name (sort keys %answer) {
        (undef, $tag{$name}, @{ $paths{$name} }) = image("kept-$name", $name);
        $id{$name} = kept($warm, HOUR, 'image', url => REGISTRY . $tag{$name});
        $warm->{servers}->redis('hset', "dfpreheat:job:$id{$name}", 'timeout', BRIEF);
    }

    $warm->run('image', url => REGISTRY . (image('not-kept', 'other'))[1]);

    my $all = $files->();

    $upstream->answers($tag{$_}, $answer{$_}) for grep { $answer{$_} } keys %answer;
    $upstream->forget_requests;
    wait_until(FORGOTTEN, sub { $files->() < $all }) or die "it forgets nothing\n";

    my %look = map { $_ => looked($warm->{servers}, $id{$_}) } keys %id;

    is($look{answers}{state}, 'SUCCESS', 'a registry answers');
    like("$look{refuses}{state} $look{refuses}{error}", qr/^FAILURE .*503/,
         'one refuses');
    like("$look{hangs}{state} $look{hangs}{error}", qr/^FAILURE .*could not be read/,
         'one does not answer');
    is($files->(), $all / 4 * 3, 'what is not kept is forgotten');
    $warm->hits('the rest is not', map { @$_ } values %paths);
    is_deeply([ grep { my $path = $_; !grep { $path eq "GET $_" } values %tag }
                @{ asked() } ], [], '... nor fetched again');
};


warm_story 'the registry is not there', { %often }, $locations, sub
{
    my $warm = shift;

    my ($image, $tag, @paths) = image('outage', 'layer');
    my $id = kept($warm, HOUR, 'image', url => REGISTRY . $tag);

    for ([ 503, qr/503/ ], [ 401, qr/401/ ], [ 404, qr/404/ ]) {
        my ($status, $reason) = @$_;

        $upstream->answers($tag, { status => $status });
        $warm->expire($tag);

        my $look = looked($warm->{servers}, $id);

        is($look->{state}, 'FAILURE', "a $status: the look says that");
        like($look->{error}, $reason, '... with the reason of the registry');
        $warm->another_client;
        $warm->hits('... and nothing is lost', @paths);
    }

    $upstream->answers($tag, { status => 503 });
    is(($warm->pull($tag))[1], 'STALE', 'clients get the tag');

    # what is gone cannot come back now

    $upstream->answers($paths[-1], { status => 503 });
    $warm->lose_files;

    my $look = looked($warm->{servers}, $id);
    is("@$look{qw( state warmed_tasks )}", 'FAILURE 0', 'all is gone');
    like($look->{error}, qr/503/, '... which the look says');

    $upstream->answers($paths[-1], { body => 'layer' });
    $image->publish($tag, $image->manifest($image->layer('layer')));

    wait_until(LOOKS, sub { $look = looked($warm->{servers}, $id);
                           $look->{state} eq 'SUCCESS' });
    is("@$look{qw( state error )}", 'SUCCESS ', 'it comes back with the registry');
    $warm->hits('all of it', $tag, @paths);
};


done_testing;
