# Jobs with args.keep_until: what was warmed stays in the cache, or comes back, until
# that time or until the job is deleted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw( tempdir );
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );
use Test::More;
use Time::HiRes qw( time );

use DFP::Cluster ();
use DFP::Image;
use DFP::Kept;
use DFP::Process qw( wait_until );
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    SHORT    => 12,         # s: some looks
    FORGOTTEN => 60,        # s: nginx looks for what to forget
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port);
my %often = (http => "dfpreheat_keep_interval 1s;\n"
                     . "dfpreheat_instance one address=192.0.2.1;\n");


sub get { $_[0]{servers}->client->get("/oapi/v1/jobs/$_[1]")->{json} }


# The value of a metric of nginx.

sub metric
{
    my ($warm, $name) = @_;

    my $text = $warm->{servers}->client->get('/metrics')->{body};

    return ($text =~ /^\Q$name\E (\S+)$/m)[0];
}


# A job of an image that is kept for some seconds, at its end; its id.

sub kept
{
    my ($warm, $seconds, @job) = @_;

    my $job = $warm->run(@job, keep_until => in_seconds($seconds));

    is($job->{state}, 'SUCCESS', 'the job succeeds')
        or diag($job->{result}{job_states}[0]{error});

    return $job->{id};
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
# sooner. What is kept stays, also if the registry cannot tell what belongs to it.

for (200, 503) {
    my $status = $_;
    my $forgetful = tempdir('dfpreheat-keep-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0777, $forgetful;

    warm_story "what nobody requests, and the registry answers $status",
        { http => $often{http} . "proxy_cache_path $forgetful "
          . "keys_zone=forgetful:1m inactive=7s use_temp_path=off;\n" },
        location('/v2/', REGISTRY, $upstream->port, 'proxy_cache forgetful;',
                 'include cache.conf;', 'dfpreheat_tag_valid 1s;'), sub
    {
        my $warm = shift;

        my ($kept, @paths) = (image("kept-$status", 'kept'))[1 .. 4];
        my ($other) = (image("not-kept-$status", 'other'))[1];
        my $id = kept($warm, HOUR, 'image', url => REGISTRY . $kept);

        $warm->run('image', url => REGISTRY . $other);

        my $files = sub { scalar grep { -f } glob "$forgetful/*" };

        is($files->(), 8, 'two images are there');
        $upstream->answers($kept, { status => $status }) if $status != 200;
        $upstream->forget_requests;
        wait_until(FORGOTTEN, sub { $files->() <= 4 }) or die "it forgets nothing\n";

        my $look = looked($warm->{servers}, $id);

        is($look->{state}, $status == 200 ? 'SUCCESS' : 'FAILURE', 'it is looked at');
        is($files->(), 4, 'the other one was forgotten');
        $warm->hits('this one was not', @paths);
        is_deeply([ grep { !/ \Q$kept\E$/ } @{ asked() } ], [],
                  '... nor fetched again');
    };
}


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


# A registry that wants a password; requests for what is kept.

sub secured
{
    my ($name) = @_;

    return DFP::Image->tagged($upstream, sub {
        guarded('Basic ' . encode_base64('alice:hunter2', ''),
                'Basic realm="r"', @_);
    });
}

sub secrets
{
    my $warm = shift;

    my $redis = sub { $warm->{servers}->redis(@_) };

    return [ map { my $key = $_;
                   $key =~ /:sealed:/ ? 'sealed'
                   : $redis->('hexists', $key, 'sealed') eq '1' ? "$key sealed" : () }
             grep { /:(?:sealed|job):\d+$/ }
             split /\n/, $redis->('keys', 'dfpreheat:*') ];
}


warm_story 'the time is over', { %often }, $locations, sub
{
    my $warm = shift;

    my @paths = secured('secured');
    my @other = DFP::Image->tagged($upstream);
    my $clock = kept($warm, HOUR, 'image', url => REGISTRY . $other[0]);
    my $id = kept($warm, SHORT, 'image', url => REGISTRY . $paths[0],
                  username => 'alice', password => 'hunter2');

    is_deeply(secrets($warm), [ 'sealed' ], 'the credentials are kept, sealed');
    $warm->lose_files;
    looked($warm->{servers}, $id);
    $upstream->forget_requests;
    $warm->hits('they are used', @paths);

    wait_until(LOOKS, sub { !@{ secrets($warm) } });
    is_deeply(secrets($warm), [], 'they are erased with the end');
    cmp_ok(time, '>=', DFP::Cluster::ms_of(get($warm, $id)->{args}{keep_until}) / 1000
                       - 1, '... not before');

    looked($warm->{servers}, $clock);
    $warm->lose_files;
    $upstream->forget_requests;
    looked($warm->{servers}, $clock);
    is_deeply([ grep { /\Q$paths[0]\E/ } @{ asked() } ], [],
              'what is gone then does not come back');

    my $job = get($warm, $id);
    is($job->{state}, 'SUCCESS', 'the job is still shown');
    is($job->{kept}[0]{state}, 'SUCCESS', '... with its last look');
};


warm_story 'the job is deleted', { %often }, $locations, sub
{
    my $warm = shift;

    my $redis = sub { $warm->{servers}->redis(@_) };
    my @paths = secured('secured');
    my @other = DFP::Image->tagged($upstream);
    my $clock = kept($warm, HOUR, 'image', url => REGISTRY . $other[0]);
    my $id = kept($warm, HOUR, 'image', url => REGISTRY . $paths[0],
                  username => 'alice', password => 'hunter2');

    # a look is under way, and does not end by itself

    $upstream->answers($paths[-1], { after => HOUR, body => 'late' });
    $warm->lose_files;
    wait_until(LOOKS, sub { grep { / \Q$paths[-1]\E / } $upstream->requests })
        or die "no look\n";

    is($warm->{servers}->client->request('DELETE', "/oapi/v1/jobs/$id")->{status},
       200, 'it is deleted');
    is_deeply(secrets($warm), [], 'its credentials are erased');
    is($redis->('zscore', 'dfpreheat:kept', $id), '', 'it is not kept any more');
    wait_until(LOOKS, sub { $redis->('keys', 'dfpreheat:lease:*') eq '' });
    looked($warm->{servers}, $clock);
    $upstream->forget_requests;
    looked($warm->{servers}, $clock);
    is_deeply([ grep { /\Q$paths[0]\E/ } @{ asked() } ], [], 'nobody asks for it');
    is($redis->('keys', "dfpreheat:job:$id"), '', 'nothing is left of it');
};


warm_story 'a job that fails is not kept', { %often }, $locations, sub
{
    my $warm = shift;

    my $redis = sub { $warm->{servers}->redis(@_) };
    my $job = $warm->run('file', url => FILES . '/files/missing',
                         username => 'alice', password => 'hunter2',
                         keep_until => in_seconds(HOUR));

    is($job->{state}, 'FAILURE', 'it fails');
    ok(!exists $job->{kept}, '... and is not kept');
    is_deeply(secrets($warm), [], '... nor are its credentials');
    is($redis->('zcard', 'dfpreheat:kept'), '0', '... and does not count');
};


warm_story 'times that are refused, and too many', { cluster => '', http =>
    $often{http} . "dfpreheat_cluster 2 name=two engine=peers 127.0.0.1:1;\n" },
    $locations . "location \@dfpreheat_grpc { include grpc.conf; }\n", sub
{
    my $warm = shift;

    my $redis = sub { $warm->{servers}->redis(@_) };
    my $post = sub {
        my ($until, %more) = @_;

        my $answer = $warm->{servers}->client->post('/oapi/v1/jobs', {
            type => 'preheat', scheduler_cluster_ids => [1],
            args => { type => 'file', url => FILES . '/files/a',
                      keep_until => $until }, %more });

        return "$answer->{status} " . ($answer->{body} =~ /:"(args\.keep_until[^"]*)/ ? $1 : '');
    };

    $upstream->answers('/files/a', { body => 'a' });

    like($post->(in_seconds(-1)), qr/^422 args\.keep_until .*in the future/, 'the past');
    like($post->(in_seconds(367 * 86400)), qr/^422 args\.keep_until .*366 days/, 'too late');
    like($post->('tomorrow'), qr/^422 args\.keep_until .*RFC 3339/, 'not a time');
    like($post->(7), qr/^422 args\.keep_until/, 'a number');
    like($post->(in_seconds(HOUR), scheduler_cluster_ids => [ 1, 2 ]),
         qr/^422 args\.keep_until .*engine=cache only.*cluster 2/, 'another engine');
    like($post->(in_seconds(-1), dry_run => JSON::PP::true), qr/^422 args\.keep_until/,
         'a dry run is checked, too');
    like($post->(in_seconds(HOUR), dry_run => JSON::PP::true), qr/^200/, '... and accepted');
    is($redis->('zcard', 'dfpreheat:kept'), '0', '... but keeps nothing');

    $redis->('eval', 'for i = 1, 1000 do redis.call("ZADD", KEYS[1], 1e15, 1e6 + i) '
             . 'end', 1, 'dfpreheat:kept');
    like($post->(in_seconds(HOUR)), qr/^429 args\.keep_until: 1000 jobs .*1000/, 'too many');
    like($post->(''), qr/^200/, 'others are accepted');
};


done_testing;
