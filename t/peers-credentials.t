# What peers are told to log in with at the origin, and that nobody else gets to
# know it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use File::Temp ();
use IO::Socket::INET;
use JSON::PP qw( encode_json );
use MIME::Base64 qw( encode_base64 );
use Test::More;

use DFP::Certificates;
use DFP::Facts;
use DFP::Image;
use DFP::Process qw( run_child wait_until );
use DFP::Swarm;
use DFP::Upstream qw( guarded );
use DFP::Warm qw( calls );

use constant {
    CALL_SECONDS => 10,         # for somebody to be asked
    LOG_LINES    => 10_000,
    REASON_MAX   => 512,        # bytes of what is told of a failure
    EXPIRES      => 300,
    BASIC        => 'Basic ' . encode_base64('bob:secret of bob', ''),
    UNAUTHORIZED => 'origin answered 401: UNAUTHORIZED: authentication required',
    REFUSED      => 'INTERNAL: backend error: 401 Unauthorized',
};

my @bob = (username => 'bob', password => 'secret of bob');
my @all = (scope => 'all_peers');
my $service = DFP::Upstream->start;
my $realm = 'http://127.0.0.1:' . $service->port;
my $with_service = calls($realm);


sub basic { return guarded(BASIC, 'Basic realm="x"', @_) }


# An image that is there for who sends this; its URL by tag, and the paths of its
# blobs.

sub private_image
{
    my ($upstream, $name, $guard) = @_;

    my $image = DFP::Image->new($upstream, $name, $guard);
    my $manifest = $image->manifest($image->layer("one of $name"),
                                    $image->layer("two of $name"));

    $image->tag('1', $manifest);
    my (undef, @blobs) = $image->paths($manifest);

    return (REGISTRY . $image->by_tag('1'), @blobs);
}


# What a registry says that sends to the token service for it, and a token.

sub bearer { return qq(Bearer realm="$realm/$_[0]",service="registry.test") }

sub token
{
    my ($token, $expires) = @_;

    return { body => encode_json({ token => $token,
                                   expires_in => $expires // EXPIRES }) };
}


# Peers whose origin requires this.

sub require_header
{
    my ($authorization, @peers) = @_;

    $_->script({ requires_header => { Authorization => $authorization } })
        for @peers;
}


# What a peer was told to log in with, for each call in order; '' where there was
# nothing.

sub logins
{
    my @peers = @_;

    return map { my $headers = $_->{request_header} // {};
                 join ',', map { $headers->{$_} }
                           grep { lc eq 'authorization' } sort keys %$headers }
           map { $_->calls } @peers;
}


# On all of these peers.

sub everywhere
{
    my ($peers, @paths) = @_;

    return [ sort map { my $host = $_->hostname; map { "$host $_" } @paths }
                  @$peers ];
}


sub is_refused
{
    my ($job, $reason, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'FAILURE', "$name: the job fails");
    like_facts(words($job, 'failure_tasks'), [$reason], "$name: it says why");
    is_deeply(told($job, 'success_tasks'), [], "$name: nobody has it");
}


swarm_story 'Basic, of an image', { seeds => 1, peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;
    my ($url, @blobs) = private_image($upstream, 'app', \&basic);
    my @job = ('image', url => $url, @all);

    require_header(BASIC, $dragonfly->all);

    my $job = $warm->run(@job, @bob);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), everywhere($peers, @blobs),
              'both peers have the blobs');
    is_deeply([ logins(@$peers) ], [ (BASIC) x (2 * @blobs) ],
              'what the manifest was read with is told at once');
    is(scalar(grep { m{/blobs/} } $upstream->requests), 0,
       'nginx itself asks for no blob');

    $job = $warm->run('image', url => $url, @bob);
    is($job->{state}, 'SUCCESS', 'a seed is told as well') or diag(error($job));
    is_deeply([ logins(@{ $dragonfly->seeds }) ], [ (BASIC) x @blobs ],
              'the same');

    $_->forget_calls for $dragonfly->all;
    is_refused($warm->run(@job, username => 'bob', password => 'mistyped'),
               UNAUTHORIZED, 'a wrong password');
    is_refused($warm->run(@job), UNAUTHORIZED, 'none');
    is(scalar(map { $_->calls } $dragonfly->all), 0,
       'where the manifest cannot be read, no peer is asked');
};


swarm_story 'Basic, of a file', { peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;
    my @job = ('file', url => FILES . '/files/a', @all);

    $upstream->answers('/files/a', basic(body => 'a file'));
    require_header(BASIC, @$peers);

    my $job = $warm->run(@job, @bob);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), everywhere($peers, '/files/a'),
              'both peers have it');
    is_deeply([ logins($_) ], [ '', BASIC ],
              $_->hostname . ' was refused first, and then told what to send')
        for @$peers;
    is(scalar $upstream->requests, 1, 'the origin was asked once what it wants');
    is_deeply([ map { /^(Authorization.*)\r$/mi } $upstream->requests ], [],
              'without a password');

    # another file: what the peers hold is theirs

    @job = ('file', url => FILES . '/files/b', @all);
    $upstream->answers('/files/b', basic(body => 'a file'));

    is_refused($warm->run(@job), UNAUTHORIZED, 'without a password');
    $_->forget_calls for @$peers;
    is_refused($warm->run(@job, username => 'bob', password => 'mistyped'),
               UNAUTHORIZED, 'a wrong password');
    is_deeply([ grep { logins($_) > 2 } @$peers ], [],
              'it was not tried again and again');
    is($warm->run(@job, @bob)->{state}, 'SUCCESS', 'with the right one');
};


swarm_story 'an origin that refuses peers only', { peers => 3 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my ($one, @others) = @{ $dragonfly->peers };

    $upstream->answers('/files/a', { body => 'for everybody' });
    require_header('something else', @others);

    my $job = $warm->run('file', url => FILES . '/files/a', @all);
    is($job->{state}, 'FAILURE', 'is a failure');
    is_deeply(reasons($job, 'failure_tasks'),
              [ map { "peer-$_: " . REFUSED } 2, 3 ],
              'of which the words of the peers are told');
    like(error($job), qr/^1 of 1 tasks failed; \S+: the peer peer-[23] \S+: \Q${\
         REFUSED }\E$/, 'also in one line');
    is_deeply(told($job, 'success_tasks'), ['peer-1 /files/a'],
              'who was let in has it');
    is(scalar $upstream->requests, 1, 'the origin was asked once');
    cmp_ok(scalar $_->calls, '<=', 2, $_->hostname . ' not much more often')
        for @others;

    require_header('something else', $one);
    is_refused($warm->run('file', url => FILES . '/files/b', @all, @bob),
               REFUSED, 'with a password that nobody asks for');
    is_deeply([ grep { $_ ne '' } logins($one, @others) ], [],
              'which nobody gets');
};


swarm_story 'a refusal that comes late', { peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my ($one, $two) = @{ $dragonfly->peers };
    my $private = basic(body => 'a file');
    my %refused = (status => 13, message => 'backend error: 401 Unauthorized');
    my ($x, $y) = @{ files(qw( x y )) };

    # asked about x the origin closes the connection, and meanwhile it tells about y

    $upstream->answers('/files/x', { body => 'a file', sends => 0 }, $private);
    $upstream->answers('/files/y', $private);
    $one->script({ urls => {
        $x => [ \%refused, {} ],
        $y => [ { %refused, wait_for => $one->gate('y') }, {} ] } });
    $two->script({ urls => {
        $x => [ { %refused, wait_for => $two->gate('x') }, {} ] } });

    my $id = $warm->post('file', urls => [ $x, $y ], @all, @bob);

    ok(wait_until(CALL_SECONDS, sub { $upstream->requests('/files/x') }),
       'the origin is asked');
    $one->open_gate('y');
    ok(wait_until(CALL_SECONDS, sub {
           2 == grep { $_->{url} eq $x } $one->calls }),
       'a peer gets the password');
    $two->open_gate('x');

    my $job = $warm->ended($id);
    is($job->{state}, 'SUCCESS', 'so does one that was told nothing before')
        or diag(error($job));
};


# Each of: how the origin answers first.

for ([ 'closes the connection', { body => 'a file', sends => 0 } ],
     [ 'is in trouble', { status => 503, body => 'busy' } ])
{
    my ($name, $answer) = @$_;

    swarm_story "an origin that $name, when it is asked which credentials it requires",
        { peers => 2 }, sub
    {
        my ($warm, $dragonfly, $upstream) = @_;

        $upstream->answers('/files/a', $answer, basic(body => 'a file'));
        require_header(BASIC, @{ $dragonfly->peers });

        my $job = $warm->run('file', url => FILES . '/files/a', @all, @bob);
        is($job->{state}, 'SUCCESS', 'is asked again') or diag(error($job));
        is(scalar $upstream->requests('/files/a'), 2, 'once');
    };
}


swarm_story "a job's own Authorization", { peers => 2 }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;

    require_header('Bearer own', @$peers);

    my $job = $warm->run('file', url => FILES . '/files/a', @all,
                         headers => { 'authorization' => 'Bearer own',
                                      'X-Other-Key' => '1' });
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply([ logins(@$peers) ], [ ('Bearer own') x 2 ], 'it is told at once');
    is_deeply([ map { scalar keys %{ $_->{request_header} } }
                map { $_->calls } @$peers ], [ 2, 2 ],
              'once, with the other header');
    is(scalar $upstream->requests, 0, 'the origin is not asked');

    $upstream->answers('/files/b', guarded('Bearer other', 'Basic x',
                                           body => 'x'));
    require_header('Bearer other', @$peers);
    is_refused($warm->run('file', url => FILES . '/files/b', @all,
                          headers => { 'Authorization' => 'Bearer own' }),
               UNAUTHORIZED, 'one that is not good');
};


swarm_story 'a token', { peers => 2, locations => $with_service }, sub {
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;
    my ($url, @blobs) = private_image($upstream, 'team/app', sub {
        guarded('Bearer for-bob', bearer('app'), @_) });

    $service->answers('/app', { %{ guarded(BASIC, 'Basic x') },
                                %{ token('for-bob') } });
    require_header('Bearer for-bob', @$peers);

    my $job = $warm->run('image', url => $url, @all, @bob);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), everywhere($peers, @blobs),
              'the peers have all blobs');
    is_deeply([ logins(@$peers) ], [ ('Bearer for-bob') x (2 * @blobs) ],
              'with the token; the password is not told');
    is(scalar $service->requests('/app'), 1, 'it was fetched once');
};


swarm_story 'a token that is refused in the middle',
    { peers => 2, locations => $with_service }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;
    my ($url, @blobs) = private_image($upstream, 'revoked', sub {
        my %answer = @_;
        my $token = "@{ $answer{headers} }" =~ /manifest/ ? 'one' : 'two';
        guarded("Bearer $token", bearer('revoked'), @_) });

    $service->answers('/revoked', token('one'), token('two'));
    require_header('Bearer two', @$peers);

    my $job = $warm->run('image', url => $url, @all);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), everywhere($peers, @blobs),
              'the peers have all blobs');
    is(scalar $service->requests('/revoked'), 2, 'another one was fetched');

    my %logins = map { $_ => 1 } logins(@$peers);
    is_deeply([ sort keys %logins ], [ 'Bearer one', 'Bearer two' ],
              'peers were told the old one, and then the new one');

    # what is refused for ever is not fetched for ever

    ($url) = private_image($upstream, 'never', sub {
        my %answer = @_;
        my $token = "@{ $answer{headers} }" =~ /manifest/ ? 'one' : 'none';
        guarded("Bearer $token", bearer('never'), @_) });
    $service->answers('/never', token('one'));
    require_header('Bearer none', @$peers);

    # whoever hears it the last time, the peer or this nginx

    $job = $warm->run('image', url => $url, @all);
    is($job->{state}, 'FAILURE', 'one that is never good: the job fails');
    like($_, qr/(?:\Q${\ UNAUTHORIZED }\E|INTERNAL: backend error: 401 .*)$/,
         'it says why') for @{ words($job, 'failure_tasks') };
    is_deeply(told($job, 'success_tasks'), [], 'nobody has it');
    cmp_ok(scalar $service->requests('/never'), '<=', 5,
           'the token service is asked a few times only');
};


swarm_story 'a token that is answered by 403 in the middle',
    { peers => 2, locations => $with_service }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my $peers = $dragonfly->peers;
    my ($url, @blobs) = private_image($upstream, 'expired', sub {
        my %answer = @_;
        my $token = "@{ $answer{headers} }" =~ /manifest/ ? 'one' : 'two';
        my $guarded = guarded("Bearer $token", bearer('expired'), @_);
        $guarded->{refusal}{status} = 403 if $token eq 'two';
        $guarded });

    $service->answers('/expired', token('one'), token('two'));
    $_->script({ requires_header => { Authorization => 'Bearer two' },
                 refuses_with => '403 Forbidden' }) for @$peers;

    my $job = $warm->run('image', url => $url, @all);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(told($job, 'success_tasks'), everywhere($peers, @blobs),
              'the peers have all blobs');
    is(scalar $service->requests('/expired'), 2, 'another one was fetched');

    # who may never have it asks for no more

    $_->script({ requires_header => { Authorization => 'Bearer none' },
                 refuses_with => '403 Forbidden' }) for @$peers;
    $service->forget_requests;
    ($url, @blobs) = private_image($upstream, 'for-nobody', sub {
        my %answer = @_;
        my $token = "@{ $answer{headers} }" =~ /manifest/ ? 'one' : 'none';
        my $guarded = guarded("Bearer $token", bearer('for-nobody'), @_);
        $guarded->{refusal}{status} = 403 if $token eq 'none';
        $guarded });
    $service->answers('/for-nobody', token('one'));

    $job = $warm->run('image', url => $url, @all);
    is($job->{state}, 'FAILURE', 'one that stays is the end');
    like($_, qr/403/, 'which says so') for @{ words($job, 'failure_tasks') };
    cmp_ok(scalar $service->requests('/for-nobody'), '<=', 2,
           'the token service was asked once more');
};


swarm_story 'a token that runs out',
    { peers => 1, locations => $with_service }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my ($url, @blobs) = private_image($upstream, 'short', sub {
        guarded('Bearer one', bearer('short'), @_) });

    # so that the first blob takes longer than the token lasts

    $service->answers('/short', token('one', 2), token('two'));
    $peer->script({ default => { before => 3 } });

    my $job = $warm->run('image', url => $url, @all,
                         concurrent_task_count => 1);
    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply([ (logins($peer))[1 .. $#blobs] ],
              [ ('Bearer two') x $#blobs ], 'what comes later gets a new one');
    is(scalar $service->requests('/short'), 2, 'which was fetched in time');
};


my $ca = DFP::Certificates->new;
my $other = DFP::Certificates->new;
my $chain = File::Temp->new(TEMPLATE => 'dfpreheat-chain-XXXXXXXX', TMPDIR => 1);

print {$chain} "a text\n", map { content($_->file) } $ca, $other;
$chain->flush;


sub content
{
    my $path = shift;

    open my $file, '<:raw', $path or die "$path: $!";
    local $/;

    return scalar <$file>;
}

sub der
{
    my $path = shift;

    open my $out, '-|', 'openssl', 'x509', '-in', $path, '-outform', 'DER'
        or die "openssl: $!";
    binmode $out;
    local $/;

    return scalar <$out>;
}


swarm_story 'dfpreheat_certificate_chain',
    { peers => 1, http => 'dfpreheat_certificate_chain ' . $chain->filename
                          . ';' }, sub
{
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my $job = $warm->run('file', url => FILES . '/files/a', @all);

    is($job->{state}, 'SUCCESS', 'the job ends well') or diag(error($job));
    is_deeply(($peer->calls)[0]{certificate_chain},
              [ map { my $der = der($_->file);
                      { length => length $der, sha256 => sha256_hex($der) } }
                    $ca, $other ],
              'peers get the certificates as DER, in order');
};


# Peers that repeat what they were told. None of these is a word of the tests.

my %secret = (
    password  => 'the <pass>word/of+the job=~',
    basic     => encode_base64('robot$app:the <pass>word/of+the job=~', ''),
    token     => 'the.token/of+the~service==',
    api_key   => 'the%20key&of=the+job',
    signature => 'thesignatureofthejob',
);


# What of the secrets is in a text: of each a piece that would be of use.

sub found
{
    my $text = shift;

    return [ grep { my $piece = substr $secret{$_}, 0, 12;
                    index($text, $piece) >= 0
                    || index($text, substr $secret{$_}, -12) >= 0 }
             sort keys %secret ];
}


# Statuses that are tried again, and that are not; and words that end behind the
# secret, within it, and in front of it.

my @statuses = map { [ 13, $_ ] } 'backend error: 403 ', 'backend error: 503 ',
                                  'disk is full: ';
push @statuses, [ 14, 'busy: ' ];

my @lengths = (0, map { REASON_MAX - $_ } 200, 100, map { 5 * $_ } 2 .. 15);


sub echoing
{
    my ($sent, @peers) = @_;

    my %urls;

    for my $i (0 .. $#statuses) {
        for my $length (@lengths) {
            my ($status, $words) = @{ $statuses[$i] };

            $urls{ FILES . "/files/$i-$length?X-Amz-Signature="
                   . $secret{signature} } = {
                status => $status,
                message => $words . 'x' x $length . ' ' . $sent };
        }
    }

    $_->script({ urls => \%urls }) for @peers;

    return [ sort keys %urls ];
}


for my $name (qw( api_key signature bearer basic )) {
    my $sent = $name eq 'bearer' ? "Bearer $secret{token}"
             : $name eq 'basic' ? "Basic $secret{basic}" : $secret{$name};

    swarm_story "peers that repeat what they were told: $name",
        { peers => 2, locations => $with_service }, sub
    {
        my ($warm, $dragonfly, $upstream) = @_;

        my @peers = @{ $dragonfly->peers };
        my $urls = echoing($sent, @peers);
        my %headers = ('X-Api-Key' => $secret{api_key});

        $headers{Authorization} = $sent if $name =~ /^b/;

        # a job for each: of one job a peer in trouble would get a rest

        my @ids = map { $warm->post('file', url => $_, @all,
                                    headers => \%headers) } @$urls;
        my @jobs = map { $warm->ended($_) } @ids;

        is(scalar(grep { $_->{state} eq 'FAILURE' } @jobs), scalar @$urls,
           'the jobs fail');
        is(scalar(map { @{ told($_, 'failure_tasks') } } @jobs), @peers * @jobs,
           'all failures are told');
        is_deeply([ map { @{ found(encode_json($_)) } } @jobs ], [],
                  'without what was sent');

        my @log = $warm->{servers}->log_tail(LOG_LINES);
        my $retried = qr/\[info\] .*dfpreheat: "http.*: (?:INTERNAL|UNAVAIL)/;
        cmp_ok(scalar(grep { /$retried/ } @log), '>', 10,
               'the log tells of them');
        is_deeply([ grep { @{ found($_) } } @log ], [],
                  'without what was sent, either');
    };
}


# What was got by a password, and the password itself.

swarm_story 'peers that repeat what was made of a password',
    { peers => 1, locations => $with_service }, sub
{
    my ($warm, $dragonfly, $upstream) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my @robot = (username => 'robot$app', password => $secret{password});
    my @all_of_it = map { $secret{$_} } qw( password basic token );

    $service->answers('/echo', token($secret{token}));

    my ($image, @blobs) = private_image($upstream, 'echo', sub {
        guarded("Bearer $secret{token}", bearer('echo'), @_) });
    my ($other) = private_image($upstream, 'basic', sub {
        guarded("Basic $secret{basic}", 'Basic realm="x"', @_) });

    for my $status (13, 14) {
        $peer->script({ default => {
            status => $status, message => "you have sent @all_of_it" } });

        for my $url ($image, $other) {
            my $job = $warm->run('image', url => $url, @all, @robot);
            my ($login) = (logins($peer))[-1] =~ /^(\S+)/;

            is($job->{state}, 'FAILURE', "status $status, $login: a failure");
            like(words($job, 'failure_tasks')->[0], qr/: you have sent \*\*\*/,
                 "$login: the words of the peer are told");

            # a Basic login is not in a job that got a token, nor is a token in one
            # that got none

            my @found = grep { $_ ne ($login eq 'Basic' ? 'token' : 'none') }
                        @{ found(encode_json($job)) };
            is_deeply(\@found, [], "$login: without what was sent");
        }
    }

    my @log = grep { /, job: [13],/ } $warm->{servers}->log_tail(LOG_LINES);
    cmp_ok(scalar @log, '>', 10, 'the log tells of the token');
    is_deeply([ grep { @{ found($_) } } @log ], [], 'and not what it is');
};


# A peer whose answer has a header that is none (RFC 9113, 8.2.1), with this value:
# nginx logs it. A frame is its length, its type, flags and stream.

sub odd_peer
{
    my $value = shift;

    my $frame = sub {
        my ($type, $flags, $stream, $payload) = @_;

        return substr(pack('N', length $payload), 1)
               . pack('CCN', $type, $flags, $stream) . $payload;
    };

    # of HPACK (RFC 7541): ":status: 200", and a name and a value as they are

    my $header = "\x88\0" . join '', map { chr(length) . $_ } 'x odd', $value;
    my $answer = $frame->(4, 0, 0, '') . $frame->(1, 5, 1, $header);

    my $listen = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1')
        or die "no port: $!";

    run_child(sub {
        while (my $client = $listen->accept) {
            print {$client} $answer;
            $client->flush;
            1 while sysread $client, my $read, 4096;
        }
    });

    return $listen->sockport;
}

swarm_story 'a peer that repeats it where it should not', { peers => 1 }, sub {
    my ($warm, $dragonfly) = @_;

    my ($peer) = @{ $dragonfly->peers };
    my $secret = 'the-token-of-the-job';

    $dragonfly->scheduler->hosts($peer->host(
        ip => '127.0.0.1', port => odd_peer("Bearer $secret")));
    my $job = $warm->run('file', url => FILES . '/files/a', @all,
                         headers => { Authorization => "Bearer $secret" });

    is($job->{state}, 'FAILURE', 'the job fails');

    my $log = join "\n", $warm->{servers}->log_tail(LOG_LINES);
    like($log, qr/sent invalid header: "x odd: /, 'nginx logs it');
    is(index($log, $secret), -1, 'without the token');
};

done_testing();
