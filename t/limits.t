# Limits that a job meets while it runs: at each of them all is well, and one
# more is told in words and does no harm.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw( sha256_hex );
use Test::More;

use DFP::Facts;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    REGISTRY   => 'http://registry.test',
    MANIFEST   => 'application/vnd.oci.image.manifest.v1+json',
    FOREIGN    => 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    SIZE       => 8192,     # dfpreheat_max_manifest_size, as set here
    DEPTH      => 3,        # NGX_DFP_INDEX_DEPTH
    ENTRIES    => 1024,     # DFP_OCI_MAX_ENTRIES, DFP_OCI_MAX_LAYERS
    VALUES     => 65536,    # DFP_OCI_MAX_VALUES
    TASKS      => 20000,    # NGX_DFP_TASKS_MAX
    URL        => 4096,     # DFP_URL_MAX_LEN
    CHALLENGE  => 4096,     # DFP_CHALLENGE_MAX_LEN
    CHALLENGES => 16,       # DFP_CHALLENGE_MAX_HEADERS
    TOKEN      => 16384,    # DFP_CHALLENGE_MAX_TOKEN
    WORDS      => 256,      # DFP_REGISTRY_ERROR_MAX
    REASON     => 512,      # NGX_DFP_REASON_MAX
    SOON       => 15,       # s: a time-out of one second has passed by then
    LONG       => 90,       # s: for a job of as many tasks as there may be
};

my $upstream = DFP::Upstream->start;
my $locations = location('/', REGISTRY, $upstream->port);

# whose answers may have headers that are longer than nginx's own limit
my @roomy = ('proxy_cache files;', 'include cache.conf;',
             'proxy_buffer_size 128k;', 'proxy_buffers 8 128k;',
             'proxy_busy_buffers_size 256k;');


sub state { $_[0]{result}{job_states}[0] }

sub reason
{
    my $job = shift;

    my $tasks = main::state($job)->{results}[0]{failure_tasks};

    return $tasks->[0]{description};
}


# Runs a job of an image with this manifest or index.

sub run
{
    my ($warm, $image, $top, %args) = @_;

    $image->tag('1', $top);

    return $warm->run('image', url => REGISTRY . $image->by_tag('1'), %args);
}


sub ends_well
{
    my ($name, $job) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($job->{state}, 'SUCCESS', "$name is well")
        or diag(main::state($job)->{error});
}


sub fails
{
    my ($name, $job, $reason) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    like(reason($job), ref $reason ? $reason : facts($reason), "$name is told");
}


# A manifest of one layer with this as an annotation, which is any JSON.

sub annotated
{
    my ($image, $value) = @_;

    my $manifest = $image->manifest($image->layer('a layer'));
    my $body = $upstream->body($image->path($manifest));

    $body =~ s/\A\{/{"annotations":{"a":$value},/;

    return $image->raw(MANIFEST, $body);
}


warm_story 'the size of a manifest',
    { http => 'dfpreheat_max_manifest_size ' . SIZE . ';' }, $locations, sub
{
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'size');
    my $room = SIZE - annotated($image, '""')->{size};

    ends_well('as large as it may be',
              run($warm, $image, annotated($image, '"' . 'x' x $room . '"')));

    for my $more (1, 100) {
        my $manifest = annotated($image, '"' . 'x' x ($room + $more) . '"');

        fails("larger by $more", run($warm, $image, $manifest),
              'answer | /\D' . SIZE . '\D/');
        fails('in an index', run($warm, $image, $image->index(
              [ 'linux/amd64' => $manifest ])), 'answer | /\D' . SIZE . '\D/');
    }

    $upstream->answers($image->by_tag('huge'), { body => ' ' x 1000,
                                                 times => 10_000 });
    fails('ten megabytes', $warm->run('image', url => REGISTRY
                                      . $image->by_tag('huge')),
          'answer | /\D' . SIZE . '\D/');

    ends_well('another one', run($warm, $image, annotated($image, '"b"')));
};


warm_story 'indexes in indexes', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'depth');
    my $top = $image->manifest($image->layer('at the bottom'));

    $top = $image->index($top) for 1 .. DEPTH;
    ends_well('as deep as they may be', run($warm, $image, $top));

    fails('one more', run($warm, $image, $image->index($top)),
          'indexes | ' . DEPTH);

    $top = $image->index($top) for 1 .. 20;
    fails('twenty more', run($warm, $image, $top),
          'indexes | ' . DEPTH);
};


warm_story 'entries of an index', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'entries');
    my $manifest = $image->manifest($image->layer('of all'));
    my @entries = map { [ "linux/a$_" => $manifest ] } 1 .. ENTRIES + 1;

    for my $platform ('linux/a' . ENTRIES, 'all') {
        ends_well("as many as there may be, $platform",
                  run($warm, $image, $image->index(@entries[1 .. ENTRIES]),
                      platform => $platform));
        fails('one more', run($warm, $image, $image->index(@entries),
                              platform => $platform),
              'manifests | manifest | ' . ENTRIES);
    }
};


warm_story 'JSON that is deep or manifold', {}, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'json');

    for my $depth (3000, 60_000) {
        for my $pair ('[]', '{}') {
            my ($open, $close) = split //, $pair;
            $open .= '"a":' if $open eq '{';

            fails("$depth times $pair", run($warm, $image, annotated($image,
                  $open x $depth . 1 . $close x $depth)),
                  'manifest | nested');
        }
    }

    fails('as deep, and without an end', run($warm, $image, $image->raw(
              MANIFEST, '[' x 60_000)), 'manifest');

    # what may become a value is counted by its "[", "{" and ","

    my $body = $upstream->body($image->path(annotated($image, '[0]')));
    my $most = VALUES - ($body =~ tr/[{,//);

    ends_well('as many values as there may be', run($warm, $image,
              annotated($image, '[0' . ',0' x $most . ']')));
    fails('one more', run($warm, $image,
              annotated($image, '[0' . ',0' x ($most + 1) . ']')),
          'manifest | ' . VALUES . ' values');
    fails('empty lists that take much memory', run($warm, $image,
              annotated($image, '[[]' . ',[]' x 100_000 . ']')),
          'manifest | ' . VALUES . ' values');
};


warm_story 'answers that take too long',
           { http => 'dfpreheat_task_timeout 1s;' },
           $locations . calls('http://127.0.0.1:' . $upstream->port), sub
{
    my $warm = shift;

    my $late = 'dfpreheat_task_timeout | /\b1 tr(?:y|ies)\b/';
    my $image = DFP::Image->new($upstream, 'time');
    my %endless = (body => 'x' x 10_000, every => 0.05);
    my %layers = map { $_ => $image->layer($_ x 10) } qw( slow slower );
    my ($slow, $slower) = map { $image->path($layers{$_}) } qw( slow slower );
    my $realm = 'http://127.0.0.1:' . $upstream->port . '/token';

    $image->tag($_ => $image->manifest($layers{$_})) for keys %layers;
    $upstream->answers($slow, { body => 'slow' x 10, every => 0.01 });
    $upstream->answers($slower, { body => 'slower' x 10, every => 0.05 });
    $upstream->answers($image->by_tag('endless'), \%endless);
    $upstream->answers('/files/broken', { status => 500 });
    $upstream->answers('/files/private', { status => 401, headers => [
        'WWW-Authenticate' => qq(Bearer realm="$realm") ] });
    $upstream->answers('/token', \%endless);

    ends_well('a slow layer', $warm->run('image', url => REGISTRY
                                         . $image->by_tag('slow')));

    # all at once: each takes its second, where nginx itself would wait for as
    # long as a byte comes now and then

    my %posted = (
        'a manifest that never ends' =>
            [ image => $image->by_tag('endless'), $late ],
        'a layer that is too slow' =>
            [ image => $image->by_tag('slower'), $late ],
        'a file that never ends' => [ file => '/files/file', $late ],
        'a file that never comes' => [ file => '/files/broken',
            facts('origin answered 500 | /\d tries/ | dfpreheat_task_timeout') ],
        'a token that never comes' => [ file => '/files/private',
            qr/dfpreheat_task_timeout/ ],
    );

    $upstream->answers('/files/file', \%endless);
    $_->[3] = $warm->post($_->[0], url => REGISTRY . $_->[1])
        for values %posted;

    for my $name (sort keys %posted) {
        my ($type, $path, $reason, $id) = @{ $posted{$name} };

        fails($name, $warm->{servers}->ended_job($id, SOON), $reason);
    }

    # none of them holds a lock of the cache

    $upstream->answers($slower, { body => 'slower' x 10 });
    ends_well('the same layer, when it comes', $warm->run('image',
              url => REGISTRY . $image->by_tag('slower')));
};


warm_story 'redirects', {}, <<"END"
    @{[ location('/', REGISTRY, $upstream->port, @roomy,
                 'include follow.conf;') ]}
    location \@dfpreheat_redirect {
        dfpreheat_redirect http://127.0.0.1:@{[ $upstream->port ]};
        @roomy
        include redirect.conf;
        proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
    }
END
, sub {
    my $warm = shift;

    my $there = 'http://127.0.0.1:' . $upstream->port . '/';

    for my $length (URL, URL + 1, 100_000) {
        my $path = 'a' x ($length - length $there);

        $upstream->answers("/$path", { body => 'there' });
        $upstream->answers("/files/$length", { status => 307, headers => [
            Location => "$there$path" ] });
        my $job = $warm->run('file', url => REGISTRY . "/files/$length");

        if ($length == URL) {
            ends_well('as long as they may be', $job);

        } else {
            fails("$length bytes", $job, 'redirect | ' . URL . ' bytes');
            like(($warm->pull("/files/$length"))[0], qr/502 Bad Gateway/,
                 'to clients, too');
        }
    }
};


warm_story 'headers that are longer than nginx has room for', {}, $locations,
           sub
{
    my $warm = shift;

    my %headers = (200 => 'X-Header', 302 => 'Location',
                   401 => 'WWW-Authenticate');
    my %ids;

    for my $status (sort keys %headers) {
        $upstream->answers("/files/$status", { status => $status, body => 'x',
            headers => [ $headers{$status} => 'http://' . 'a' x 20_000 ] });
        $ids{$status} = $warm->post('file', url => REGISTRY . "/files/$status");
    }

    fails("$headers{$_} of 20000 bytes", $warm->ended($ids{$_}),
          facts('header | proxy_buffer_size')) for sort keys %headers;
};


# What a 401 asks for, as headers, and the job of a file that is guarded by it.

sub guarded
{
    my ($warm, $token, @challenges) = @_;

    $upstream->answers('/files/guarded-' . ++$warm->{files}, {
        wants => "Authorization: Bearer $token", body => 'guarded',
        refusal => { status => 401, headers => [
            map { ('WWW-Authenticate' => $_) } @challenges ] } });

    return $warm->run('file', url => REGISTRY . "/files/guarded-$warm->{files}");
}


warm_story 'challenges and tokens', {},
           location('/', REGISTRY, $upstream->port, @roomy)
           . calls('http://127.0.0.1:' . $upstream->port), sub
{
    my $warm = shift;

    my $wants = 'origin answered 401 | ';
    my $service = 'http://127.0.0.1:' . $upstream->port;
    my $bearer = qq(Bearer realm="$service/token");
    my $pad = CHALLENGE - length qq($bearer,x="");

    $upstream->answers('/token', { body => '{"token":"short"}' });

    ends_well('a challenge as long as it may be',
              guarded($warm, 'short', qq($bearer,x=") . 'x' x $pad . '"'));

    for my $more (1, 50_000) {
        fails("longer by $more", guarded($warm, 'short',
              qq($bearer,x=") . 'x' x ($pad + $more) . '"'),
              facts($wants . 'header too long'));
    }

    my @others = ('Negotiate') x CHALLENGES;

    ends_well('as many as there may be',
              guarded($warm, 'short', @others[1 .. $#others], $bearer));
    fails('one more', guarded($warm, 'short', @others, $bearer),
          facts($wants . join ', ', @others));

    my $job = guarded($warm, 'short', map { 'N' x 100 . $_ } 1 .. 1000);
    fails('a thousand with long names', $job, facts($wants . '/: [N, ]+$/'));
    cmp_ok(length reason($job), '<', REASON, 'in few words');

    ends_well('as many scopes as there may be', guarded($warm, 'short',
              qq($bearer,scope="@{[ 1 .. 16 ]}")));
    fails('one more', guarded($warm, 'short',
                              qq($bearer,scope="@{[ 1 .. 17 ]}")),
          facts('16 scopes'));

    for my $length (TOKEN, TOKEN + 1, 60_000, 1_000_000) {
        my $token = 't' x $length;

        $upstream->answers('/token', { body => qq({"token":"$token"}) });
        $job = guarded($warm, $token, $bearer);

        if ($length == TOKEN) {
            ends_well('a token as long as it may be', $job);

        } else {
            fails("$length bytes", $job, facts("$service: | " . ($length > 65536
                  ? 'answer | 65536 bytes'
                  : 'token | ' . TOKEN . ' bytes')));
        }
    }
};


warm_story 'errors in many words', {},
           $locations . calls('http://127.0.0.1:' . $upstream->port), sub
{
    my $warm = shift;

    my $realm = 'http://127.0.0.1:' . $upstream->port . '/token';
    my @errors = map { qq({"errors":[{"code":"DENIED","message":"$_) . '"}]}' }
                     'x' x 3000, 'x' x 10_000;
    my %answers = (
        'ten megabytes' => [ { body => 'x' x 1000, times => 10_000 },
                             ': ' . 'x' x WORDS ],
        'a message of 3000 bytes' =>
            [ { body => $errors[0] }, ': DENIED: ' . 'x' x (WORDS - 8) ],
        'one of 10000'  => [ { body => $errors[1] }, '' ],
        'ten megabytes of errors' =>
            [ { body => $errors[0], times => 3000 }, '' ],
    );

    for my $name (sort keys %answers) {
        my ($answer, $words) = @{ $answers{$name} };

        $upstream->answers('/files/denied', { status => 403, %$answer });
        fails($name, $warm->run('file', url => REGISTRY . '/files/denied'),
              qr/origin answered 403\Q$words\E$/);

        $upstream->answers('/token', { status => 403, %$answer });
        $upstream->answers('/files/private', { status => 401, headers => [
            'WWW-Authenticate' => qq(Bearer realm="$realm") ], %$answer });
        fails("$name, of a token service",
              $warm->run('file', url => REGISTRY . '/files/private'),
              qr/token service answered 403\Q$words\E$/);
    }
};


# Layers that are tasks, but are not fetched, so that there may be many.

sub foreign
{
    my ($image, $count) = @_;

    return map { { mediaType => FOREIGN, size => 1, urls => ['http://a.test/'],
                   digest => 'sha256:' . sha256_hex("$image $_") } }
               1 .. $count;
}


# What GET answers, which is too much to be parsed here.

sub answer
{
    my ($warm, $id) = @_;

    my $servers = $warm->{servers};
    my $answer = $warm->{http}->get(
        "http://127.0.0.1:$servers->{port}/oapi/v1/jobs/$id",
        { headers => { Authorization => "Bearer $servers->{token}" } });

    return $answer->{content};
}


warm_story 'layers and tasks', { seconds => 4 * LONG }, $locations, sub {
    my $warm = shift;

    my $image = DFP::Image->new($upstream, 'layers');
    my $real = $image->layer('there');

    my $job = run($warm, $image, $image->manifest($real,
                                                  foreign(0, ENTRIES - 1)));
    ends_well('an image with as many layers as there may be', $job);
    is(main::state($job)->{progress}[0]{tasks_total}, ENTRIES + 3,
       'of which each is a task, as its tag, digest and config are');
    fails('one more', run($warm, $image, $image->manifest($real,
                                                          foreign(0, ENTRIES))),
          facts('layers | manifest | ' . ENTRIES));

    my $each = TASKS / 20 - 3;
    my @tags = 1 .. 20;

    $image->tag($_, $image->manifest(foreign($_, $each))) for @tags;
    $image->tag('more', $image->manifest($real, foreign(20, $each)));

    my @numbers = (TASKS + 1, TASKS);

    for ([ 'as many tasks as there may be', 20, qr/"state":"SUCCESS"/ ],
         [ 'one more', 'more', qr/"error":"1\ of\ $numbers[0]\b[^"]*\bfailed
            [^"]*\b$numbers[1]\ tasks\b/x ])
    {
        my ($name, $last, $pattern) = @$_;
        my $id = $warm->post('image', urls => [
            map { REGISTRY . $image->by_tag($_) } 1 .. 19, $last ]);

        ok(wait_until(LONG, sub {
            $warm->{servers}->stored_state($id) ne 'PENDING';
        }), "$name: the job ends");

        my $answer = answer($warm, $id);

        like($answer, $pattern, "$name: as it should");
        is(scalar(() = $answer =~ /,"url":"http/g), TASKS + ($last eq 'more')
           + @tags, "$name: and all are told");
    }

    $warm->hits('clients get what is there', map { $image->by_tag($_) } @tags);
};


done_testing();
