# Jobs with args.keep_until that end: their time is over, they are deleted, or they are
# not kept at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MIME::Base64 qw( encode_base64 );
use Test::More;
use Time::HiRes qw( time );

use DFP::Cluster ();
use DFP::Image;
use DFP::Kept qw( :DEFAULT kept );
use DFP::Process qw( wait_until );
use DFP::Upstream qw( guarded );
use DFP::Warm;

use constant {
    REGISTRY => 'http://registry.test',
    FILES    => 'http://files.test',
    SHORT    => 10,         # s: some looks
};

my $upstream = DFP::Upstream->start;
my $locations = location('/v2/', REGISTRY, $upstream->port)
                . location('/files/', FILES, $upstream->port);
my %often = (http => "dfpreheat_keep_interval 1s;\n"
                     . "dfpreheat_instance one address=192.0.2.1;\n");


sub get { $_[0]{servers}->client->get("/oapi/v1/jobs/$_[1]")->{json} }

sub asked { [ map { /^(\S+ \S+)/ } $upstream->requests ] }


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
    $upstream->forget_requests;
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
