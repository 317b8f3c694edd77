# Real registries: what jobs log in with, and that nothing is left for clients
# to ask of the registry afterwards.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Certificates;
use DFP::Dns;
use DFP::Facts;
use DFP::Process qw( wait_until );
use DFP::Registry qw( skopeo_pull );
use DFP::Results;
use DFP::TokenServer;
use DFP::Warm;

use constant {
    LOG_SECONDS    => 5,
    CHANGE_SECONDS => 10,
    LOG_LINES      => 1000,
    UNAUTHORIZED   => 'origin answered 401: UNAUTHORIZED: authentication required',
};

my $dir = File::Temp->newdir('dfpreheat-test-XXXXXXXX', TMPDIR => 1);
my $ca = DFP::Certificates->new;
my $server = $ca->issue('registry.test');

my $open = DFP::Registry->start;
my %image = map { $_ => $open->push_image($_) }
            qw( library/app team/app team/tool );

my %users = (alice => 'p@:w', bob => 'hunter2');
my %service = (
    public => ['library/app'],
    users  => {
        alice => { password => $users{alice},
                   pulls => ['team/app', 'team/tool'] },
        bob   => { password => $users{bob} },
    },
);


# A story with a registry behind nginx, under a name of its own; through TLS
# where it has that. More locations may follow.

sub registry_story
{
    my ($name, $registry, $options, $locations, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %options = %$options;

    $options{http} .= "log_format how '\$upstream_cache_status \$request_method"
                      . " \$uri \$status';\n";

    open my $log, '>', "$dir/front.log" or die "front.log: $!";
    close $log;

    warm_story $name, \%options, "access_log $dir/front.log how;\n"
                                 . registry_location($registry,
                                                     $options{lines})
                                 . $locations,
               sub {
        my $warm = shift;

        $code->($warm);

        my $secret = join '|', 'eyJ', map { quotemeta } values %users,
                     map { encode_base64("$_:$users{$_}", '') } keys %users;
        my @lines = grep { /$secret/ } $warm->{servers}->log_tail(LOG_LINES);

        is_deeply(\@lines, [], 'no password and no token is in the log');
    };
}


# nginx would keep sessions of TLS until it exits, and the sanitizers would call
# that a leak.

sub registry_location
{
    my ($registry, $lines) = @_;

    my $port = $registry->port;

    $lines //= '';

    return location('/v2/', origin($registry), $port) if !$registry->{tls};

    return <<"END";
location /v2/ {
    dfpreheat_origin ${\ origin($registry) };
    proxy_pass https://127.0.0.1:$port;
    proxy_ssl_name registry.test;
    proxy_ssl_server_name on;
    proxy_ssl_session_reuse off;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate ${\ $ca->file };
    proxy_cache files;
    include cache.conf;
    $lines
}
END
}


# Calls to the token service, whose certificate is of the same authority.

sub service_location
{
    my $service = shift;

    return <<"END";
location \@dfpreheat_calls {
    dfpreheat_origin ${\ $service->origin };
    include calls.conf;
    proxy_ssl_trusted_certificate ${\ $ca->file };
}
END
}


sub origin
{
    my $registry = shift;

    return ($registry->{tls} ? 'https' : 'http') . '://registry.test:'
           . $registry->port;
}


sub url
{
    my ($registry, $name) = @_;

    return origin($registry) . $image{$name}{url};
}


# A job of an image of the registry ends well, having asked for each thing once,
# and for the first one without credentials where those do not come with it.
# Then clients get all of it from the cache.

sub warms
{
    my ($how, $warm, $registry, $name, $job, @skopeo) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $image = $image{$name};
    my @pulled = ($image->{url}, @{ $image->{paths} });

    $registry->forget_requests;
    my $ended = $warm->run('image', url => url($registry, $name), %$job);

    is($ended->{state}, 'SUCCESS', "$how: the job ends well")
        or diag(reason($ended));
    is_deeply($registry->served, { map { $_ => 1 } $image->{index}, @pulled },
              "$how: it has fetched each manifest and blob once");
    is_deeply([ grep { !/ 200$/ } $registry->requests ],
              [ ($registry->{users} || $registry->{token}) && !$job->{headers}
                ? "GET $image->{url} 401" : () ],
              "$how: and has been told once at the most to log in");

    $registry->forget_requests;
    pulls_from_cache($how, $warm, $name, \@pulled, @skopeo);
    $warm->hits("$how: so does who has the digest of the index",
                $image->{index});
    is_deeply([ $registry->requests ], [],
              "$how: and the registry is not asked for any of it");
}


sub pulls_from_cache
{
    my ($how, $warm, $name, $paths, @skopeo) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    truncate "$dir/front.log", 0 or die "front.log: $!";

    @skopeo = ('--src-no-creds') if !@skopeo;
    is(skopeo_pull($warm->{port}, "$name:1.0", @skopeo), '',
       "$how: skopeo pulls the image");

    # nginx writes what it has done when the client knows it already

    my @lines;
    my @expected = sort map { "HIT GET $_ 200" } @$paths;

    wait_until(LOG_SECONDS, sub {
        @lines = front_log();
        @lines >= @expected;
    });

    is_deeply([ sort @lines ], \@expected,
              "$how: and gets each manifest and blob from the cache");
}


sub front_log
{
    open my $file, '<', "$dir/front.log" or die "front.log: $!";

    return map { chomp; m{/(?:manifests|blobs)/} ? $_ : () } <$file>;
}


# A job fails; the URL that is told, and the reason.

sub fails
{
    my ($warm, $registry, $name, $reason, $how, %job) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $job = $warm->run('image', url => url($registry, $name), %job);
    my $tasks = $job->{result}{job_states}[0]{results}[0]{failure_tasks};

    is($job->{state}, 'FAILURE', "$how: the job fails");
    is_deeply([ map { $_->{url} } @$tasks ], [ url($registry, $name) ],
              "$how: it tells what failed");
    like($tasks->[0]{description}, facts($reason), "$how: and why");
}


sub basic { 'Basic ' . encode_base64(join(':', @_), '') }


# docker's config.json.

sub write_auths
{
    my ($registry, %entry) = @_;

    write_file('config.json', encode_json({ auths => {
        'registry.test:' . $registry->port => \%entry } }));
}


sub write_credentials
{
    my ($registry, $user, $password) = @_;

    write_auths($registry, auth => encode_base64("$user:$password", ''));
}


sub write_file
{
    my ($name, $text) = @_;

    my $mask = umask 077;
    open my $file, '>', "$dir/$name.new" or die "$name: $!";
    umask $mask;

    print {$file} $text;
    close $file or die "$name: $!";
    rename "$dir/$name.new", "$dir/$name" or die "$name: $!";
}


registry_story 'a registry for everybody', $open, {}, '', sub {
    my $warm = shift;

    warms('nobody', $warm, $open, 'team/app', {});
};


{
    my $registry = DFP::Registry->start(images_of => $open, users => \%users);

    registry_story 'a registry with passwords', $registry, {}, '', sub {
        my $warm = shift;

        my %alice = (username => 'alice', password => $users{alice});

        fails($warm, $registry, 'team/app', UNAUTHORIZED, 'nobody');
        warms('a user', $warm, $registry, 'team/app', \%alice);
        warms('an Authorization', $warm, $registry, 'team/tool',
              { headers => { Authorization => basic('bob', $users{bob}) } });

        fails($warm, $registry, 'team/app', UNAUTHORIZED,
              'a wrong password, when all is in the cache', %alice,
              password => 'mistyped');
        fails($warm, $registry, 'library/app', UNAUTHORIZED,
              'a wrong Authorization',
              headers => { Authorization => basic('bob', 'mistyped') });
        fails($warm, $registry, 'library/app', UNAUTHORIZED,
              'somebody unknown', username => 'carol', password => 'secret');
    };
}


my $service = DFP::TokenServer->start($ca, %service);
my $guarded = DFP::Registry->start(images_of => $open, token => $service,
                                   tls => $server);


registry_story 'a registry with tokens, for who has a password', $guarded, {},
               service_location($service), sub
{
    my $warm = shift;

    my %alice = (username => 'alice', password => $users{alice});

    $service->forget_requests;
    warms('a user', $warm, $guarded, 'team/app', \%alice,
          '--src-creds', "alice:$users{alice}");

    # the other is skopeo's

    my @requests = $service->requests;
    is(scalar @requests, 2, 'one token was fetched for the whole job');
    is_deeply($requests[0], [ 'service=registry.test&scope=repository%3Ateam'
                              . '%2Fapp%3Apull&account=alice',
                              basic('alice', $users{alice}) ],
              'by the user, and to pull that image');

    fails($warm, $guarded, 'team/app', $service->origin
          . ': | token service answered 401: UNAUTHORIZED: the user name or '
          . 'the password is wrong', 'a wrong password', %alice,
          password => 'mistyped');
    fails($warm, $guarded, 'team/app', UNAUTHORIZED,
          'a user of something else', username => 'bob',
          password => $users{bob});
};


registry_story 'a registry with tokens, for everybody', $guarded, {},
               service_location($service), sub
{
    my $warm = shift;

    $service->forget_requests;
    warms('nobody', $warm, $guarded, 'library/app', {});
    is_deeply(($service->requests)[0], [ 'service=registry.test&scope='
                                         . 'repository%3Alibrary%2Fapp%3Apull'
                                       ], 'the token is asked for by nobody');

    fails($warm, $guarded, 'team/app', UNAUTHORIZED,
          'what is not for everybody');
};


registry_story 'a registry with tokens, and a job that brings one', $guarded,
               {}, service_location($service), sub
{
    my $warm = shift;

    # as Harbor posts it

    my $token = $service->token('alice', 'team/app:pull');

    $service->forget_requests;
    warms('a token', $warm, $guarded, 'team/app',
          { headers => { Authorization => "Bearer $token" } },
          '--src-creds', "alice:$users{alice}");
    is(scalar $service->requests, 1, 'only skopeo has fetched one');

    fails($warm, $guarded, 'team/tool', UNAUTHORIZED,
          'a token for another image',
          headers => { Authorization => "Bearer $token" });
    fails($warm, $guarded, 'team/app', UNAUTHORIZED,
          'a token that nobody has signed',
          headers => { Authorization => "Bearer ${token}x" });
};


registry_story 'a private cache', $guarded, { lines => 'dfpreheat_access on;' },
               service_location($service), sub
{
    my $warm = shift;

    my $image = $image{'team/app'};
    my @pulled = ($image->{url}, @{ $image->{paths} });
    my @bob = ('--src-creds', "bob:$users{bob}");

    is($warm->run('image', url => url($guarded, 'team/app'),
                  username => 'alice', password => $users{alice})->{state},
       'SUCCESS', 'an image is warmed');

    pulls_from_cache('who may pull it', $warm, 'team/app', \@pulled,
                     '--src-creds', "alice:$users{alice}");

    $guarded->forget_requests;
    isnt(skopeo_pull($warm->{port}, 'team/app:1.0', @bob), '',
         'who may not pull it does not get it');
    isnt(skopeo_pull($warm->{port}, 'team/app:1.0', '--src-no-creds'), '',
         'nor does who is not known');
    is_deeply([ grep { / 200$/ } $guarded->requests ], [],
              'and it is the registry that has said so');
};


{
    my $named = DFP::TokenServer->start($ca, %service, name => 'auth.test');
    my $registry = DFP::Registry->start(images_of => $open, token => $named,
                                        tls => $server);
    my $dns = DFP::Dns->start('auth.test' => ['127.0.0.1']);

    registry_story 'a token service that has to be looked up', $registry, {},
                   'resolver 127.0.0.1:' . $dns->port . ";\n"
                   . service_location($named), sub
    {
        my $warm = shift;

        my $job = $warm->run('image', url => url($registry, 'team/app'),
                             username => 'alice', password => $users{alice});

        is($job->{state}, 'SUCCESS', 'the job ends well') or diag(reason($job));
        is_deeply([ $named->names ], ['auth.test'],
                  'the service was asked by its name');

        $registry->forget_requests;
        $warm->hits('clients get all of it from the cache',
                    map { ($_->{url}, $_->{index}, @{ $_->{paths} }) }
                        $image{'team/app'});
        is_deeply([ $registry->requests ], [],
                  'and the registry is not asked for any of it');
    };
}


write_credentials($guarded, 'alice', $users{alice});

registry_story 'credentials of the configuration', $guarded,
               { http => "dfpreheat_credentials $dir/config.json;\n" },
               service_location($service), sub
{
    my $warm = shift;

    fails($warm, $guarded, 'team/app', UNAUTHORIZED,
          'a token without their scope');

    $warm->scopes(qw( origin-credentials job ));
    warms('a token with their scope', $warm, $guarded, 'team/app', {},
          '--src-creds', "alice:$users{alice}");

    my $wrong = $service->origin . ': | token service answered 401: '
                . 'UNAUTHORIZED: the user name or the password is wrong';

    fails($warm, $guarded, 'team/app', $wrong,
          'a job with a password of its own', username => 'alice',
          password => 'mistyped');
    is($warm->run('image', url => url($guarded, 'team/app'),
                  username => 'alice', password => $users{alice})->{state},
       'SUCCESS', 'a job with a better one');

    $warm->scopes('job');
    fails($warm, $guarded, 'team/tool', UNAUTHORIZED,
          'once more a token without their scope');
};


# Jobs are posted until one comes to that end: the file is looked at once a
# second.

sub soon
{
    my ($warm, $state) = @_;

    my $job;

    wait_until(CHANGE_SECONDS, sub {
        $job = $warm->run('image', url => url($guarded, 'team/app'));
        $job->{state} eq $state;
    }) or diag(reason($job));

    return $job;
}


# What is wrong with the file is logged, and jobs go on with what was in it.

sub changes_nothing
{
    my ($name, $warm, $logged) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $job;

    ok(wait_until(CHANGE_SECONDS, sub {
        $job = $warm->run('image', url => url($guarded, 'team/app'));
        grep { / \[error\] .*$logged/ } $warm->{servers}->log_tail(LOG_LINES);
    }), "$name is told in the error log");

    is($job->{state}, 'SUCCESS', "$name changes nothing else")
        or diag(reason($job));
}


write_credentials($guarded, 'alice', 'the one of yesterday');

registry_story 'credentials that change', $guarded,
               { http => "dfpreheat_credentials $dir/config.json;\n",
                 workers => 1 },     # each reads the file for itself
               service_location($service), sub
{
    my $warm = shift;

    my @workers = $warm->{servers}->workers;
    $warm->scopes(qw( job origin-credentials ));

    is($warm->run('image', url => url($guarded, 'team/app'))->{state},
       'FAILURE', 'a job fails with those of yesterday');

    write_credentials($guarded, 'alice', $users{alice});
    is(soon($warm, 'SUCCESS')->{state}, 'SUCCESS',
       'it ends well with those of today');

    write_file('config.json', '{"auths":');
    changes_nothing('a file that is broken', $warm,
                    qr/dfpreheat_credentials "\S+".* valid JSON/);

    unlink "$dir/config.json" or die "config.json: $!";
    changes_nothing('a file that is gone', $warm,
                    qr/dfpreheat_credentials: \S+ "\S+" failed \(2: No such/);

    write_credentials($guarded, 'alice', 'the one of tomorrow');
    is(soon($warm, 'FAILURE')->{state}, 'FAILURE', 'one that is there does');

    write_auths($guarded, registrytoken =>
                $service->token('alice', 'team/app:pull'));
    is(soon($warm, 'SUCCESS')->{state}, 'SUCCESS', 'a token that is ready');
    $service->forget_requests;
    is($warm->run('image', url => url($guarded, 'team/app'))->{state},
       'SUCCESS', 'does, too');
    is(scalar $service->requests, 0, 'and none is fetched');

    is_deeply([ sort $warm->{servers}->workers ], [ sort @workers ],
              'nginx was not told to reload');
};

done_testing();
