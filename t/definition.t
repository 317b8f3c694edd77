# Several nginx that share a Redis tell each other how they define a cluster: what
# differs in what matters for jobs is logged.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Facts;
use DFP::Process qw( free_port wait_until );
use DFP::Servers;
use DFP::Story qw( story );

use constant {
    SOON  => 10,        # s: some heartbeats of a short lease
    LEASE => '1s',
    BEATS => 3,
};

my %own = (one => '192.0.2.1', two => '192.0.2.2');
my $differs = qr/ \[warn\] .*\bcluster \d+ differs/;
my $equal = qr/ \[notice\] .*\bno longer differs/;


# Lines of http for an nginx of this name.

sub named
{
    my ($name, @lines) = @_;

    return join "\n", "dfpreheat_instance $name address=$own{$name};", @lines;
}


sub options
{
    my ($name, @lines) = @_;

    return (lease => LEASE, http => named($name, @lines));
}


# A front that jobs ask.

sub front
{
    my $port = shift;
    my $free = free_port();

    return "server { listen 127.0.0.1:$free; location \@dfpreheat_verify { "
           . "dfpreheat_verify http://127.0.0.1:$port; "
           . 'proxy_pass $dfpreheat_target; } }';
}


# Another nginx that shares the Redis and the origin of the first.

sub second
{
    my ($one, %options) = @_;

    my $before = delete $options{before_nginx};

    my $two = DFP::Servers->new(options('two'), no_redis => 1,
        redis_port => $one->{redis_port}, before_nginx => sub {
            my $self = shift;

            $self->{origin}->stop_serving;
            $self->{origin} = $one->origin;
            $before->($self) if $before;
        }, %options);

    $two->start;

    return $two;
}


sub ended
{
    my $two = shift;

    delete $two->{origin};      # the first one's
    $two->stop_all;
    is_deeply([ $two->severe ], [], 'the other had no alert');
}


sub write_key
{
    my ($servers, $key) = @_;

    open my $file, '>', "$servers->{dir}/seal.key" or die "seal.key: $!";
    print {$file} $key;
    close $file or die "seal.key: $!";
}


# The field of the hash of an nginx in Redis.

sub stored
{
    my ($servers, $name, $field) = @_;

    my ($queue) = grep { /^dfpreheat:instance:\Q$name\E:/ }
                  split /\n/, $servers->redis('keys', 'dfpreheat:instance:*');

    return $queue ? $servers->redis('hget', $queue, $field) : '';
}


# Each has sent some heartbeats, after which it knows of the others.

sub beats
{
    my $servers = shift;

    for my $name (qw( one two )) {
        my %seen;

        wait_until(SOON, sub {
            $seen{ stored($servers, $name, 'seen') } = 1;
            keys %seen > BEATS;
        }) or die "no heartbeats of $name";
    }
}


sub told
{
    my ($servers, $facts) = @_;

    return wait_until(SOON, sub { $servers->logged(facts($facts)) });
}


sub quiet
{
    my ($name, @servers) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    beats($servers[0]);
    is_deeply([ map { $_->logged(qr/\bdiffers\b/) } @servers ], [], $name);
}


story 'nginx that define a cluster alike do not mention it',
    { options('one', 'dfpreheat_platform linux/arm64,linux/amd64;', front(1)) },
    sub
{
    my $one = shift;

    # what may differ: the order, the zone of the cache, other clusters, the name
    # of the front, and how much a machine can do

    my $two = second($one, options('two',
        'dfpreheat_platform linux/x86_64,linux/aarch64;',
        'dfpreheat_cluster 2 name=own engine=cache;', front(2),
        'dfpreheat_worker_calls 3;', 'dfpreheat_max_attempts 7;',
        'dfpreheat_rate 10m;',
        "proxy_cache_path $one->{dir}/other keys_zone=other:1m;"),
        zone => 'other');

    quiet('neither does', $one, $two);
    like(stored($one, 'two', 'definitions'), qr/^1 .*;2 /,
         'though both told what they have');
    ended($two);
};


story 'an origin and a key that differ: each names the other, and what differs',
    { options('one') }, sub
{
    my $one = shift;

    my $two = second($one, before_nginx => sub {
        write_key($_[0], 'fedcba9876543210' x 4);
    }, options('two', <<"END"));
server {
    listen unix:$one->{dir}/two.sock;

    location \@calls {
        dfpreheat_origin http://other.test;
        proxy_pass \$dfpreheat_target;
    }
}
END

    ok(told($one, qq([warn] | cluster 1 | "two" | $own{two} | origins, keys)),
       'the log of one names the other');
    ok(told($two, qq([warn] | cluster 1 | "one" | $own{one} | origins, keys)),
       'and that of the other this one');
    beats($one);
    is(scalar $_->logged($differs), 1, 'once') for $one, $two;
    unlike(stored($one, $_, 'definitions'), qr/0123456789abcdef|other\.test/,
           'Redis has neither the key nor the origin') for qw( one two );

    # one aspect less, and then none

    $two->nginx_configure(options('two'));
    $two->nginx_reload;
    ok(told($one, q{[warn] | cluster 1 | "two" | /: keys$/}),
       'a reload that changes what differs is logged');

    write_key($two, '0123456789abcdef' x 4);
    $two->nginx_reload;
    ok(told($one, qq([notice] | cluster 1 | "two" | $own{two} | no longer)),
       'and one after which nothing does');
    beats($one);
    is(scalar $one->logged($differs), 2, 'then there is no warning any more');
    is(scalar $one->logged($equal), 1, 'and no notice');
    ended($two);
};


# Each setting alone, by reloads of the second.

sub each_differs
{
    my ($one, $two, $base, @rows) = @_;

    my $n = 0;

    for my $row (@rows) {
        my ($name, $lines, $aspect) = @$row;

        $two->nginx_configure(options('two', $lines));
        $two->nginx_reload;
        wait_until(SOON, sub { $one->logged($differs) > $n });
        like(($one->logged($differs))[$n++] // '', qr/\): \Q$aspect\E$/,
             "$name: $aspect");

        $two->nginx_configure(options('two', $base));
        $two->nginx_reload;
        wait_until(SOON, sub { $one->logged($equal) == $n }) or die 'no notice';
    }

    is(scalar $one->logged($differs), $n, 'each was logged once');
}


story 'settings of http', { options('one') }, sub
{
    my $one = shift;

    my $two = second($one);

    each_differs($one, $two, '', map { [ $_->[0], @$_ ] }
        [ 'dfpreheat_success_threshold 50;', 'cluster' ],
        [ 'dfpreheat_unreachable_peers 1;', 'cluster' ],
        [ 'dfpreheat_tag_valid 5m;', 'origins' ],
        [ front(1), 'origins' ],
        [ 'dfpreheat_insecure_skip_verify on;', 'origins' ],
        [ 'dfpreheat_platform all;', 'platform' ],
        [ 'dfpreheat_max_manifest_size 1m;', 'limits' ],
        [ 'dfpreheat_task_timeout 5m;', 'limits' ]);
    ended($two);
};


# A second cluster, and locations for calls and for redirects.

sub lines
{
    my ($dir, %with) = @_;

    my ($cluster, $calls, $redirect, $name) = map { $with{$_} // '' }
                                              qw( cluster calls redirect name );

    $name ||= 'name=cluster-2';

    return <<"END";
dfpreheat_cluster 2 $name engine=cache $cluster;

server {
    listen unix:$dir/calls.sock;

    location \@calls {
        dfpreheat_origin http://two.test http://one.test;
        proxy_pass \$dfpreheat_target;
        proxy_cache files;
        include $dir/cache.conf;
        $calls
    }

    location \@redirect {
        dfpreheat_redirect http://cdn.test $redirect;
        proxy_pass_request_headers off;
        proxy_pass \$dfpreheat_target;
    }
}
END
}


story 'settings of a cluster and of locations',
    { lease => LEASE, before_nginx => sub {
        $_[0]{http} = named('one', lines($_[0]{dir}));
    } }, sub
{
    my $one = shift;

    my $base = sub { lines($_[0]{dir}) =~ s/(\S+test) (\S+test);/$2 $1;/r };
    my $two = second($one, before_nginx => sub {
        $_[0]{http} = named('two', $base->($_[0]));
    });
    my $dir = $two->{dir};

    each_differs($one, $two, $base->($two),
        [ 'name=', lines($dir, name => 'name=other'), 'cluster' ],
        [ 'default_scope=', lines($dir, cluster =>
              'default_scope=single_seed_peer'), 'cluster' ],
        [ 'dfpreheat_share_blobs',
          lines($dir, calls => 'dfpreheat_share_blobs on;'), 'origins' ],
        [ 'dfpreheat_access', lines($dir, calls => 'dfpreheat_access on;'),
          'origins' ],
        [ 'dfpreheat_redirect', lines($dir, redirect => 'http://cdn2.test'),
          'origins' ]);
    ended($two);
};


story 'one that differs and ends is not mentioned any more',
    { options('one') }, sub
{
    my $one = shift;

    my $two = second($one, options('two', 'dfpreheat_platform all;'));

    ok(told($one, '[warn] | cluster 1 | "two" | platform'), 'it differs');
    ended($two);
    ok(told($one, '[notice] | cluster 1 | "two" | no longer'), 'it has ended');
    is(scalar $one->logged($differs), 1, 'there was one warning');
};


# What is in Redis may be anybody's.

story 'a definition that no nginx has written', { options('one') }, sub
{
    my $one = shift;

    my $queue = 'dfpreheat:instance:evil:x';
    my $future = 4_102_444_800_000;

    $one->redis('hset', $queue, 'id', 'evil', 'who', "1.2.3.4 e\nv\e[31mil",
                'definitions', "1 keys=\e[31m cluster=;;1;= \n");
    $one->redis('zadd', $_, $future, 'instance:evil:x')
        for qw( dfpreheat:members dfpreheat:owners:evil );

    ok(told($one, '[warn] | cluster 1 | 1.2.3.4 | cluster, keys'),
       'is compared');
    is_deeply([ $one->logged(qr/\e/) ], [], 'and nothing of it is logged');

    $one->redis('hset', $queue, 'definitions', '1 ' . 'x' x 100_000);
    ok(told($one, '[notice] | cluster 1 | no longer'), 'nor a long one');
};


done_testing();
