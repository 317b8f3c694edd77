# The contract says what the code does: docs/openapi.yaml has the paths, parameters,
# fields, limits and values that are in src/, and no others; and what it says of
# answers holds for jobs in each state, clusters, tokens, look-ups and errors.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find;
use HTTP::Tiny;
use JSON::PP qw( decode_json encode_json );
use Test::More;

use DFP::Client;
use DFP::Contract qw( document undescribed );
use DFP::Events;
use DFP::Hooks;
use DFP::Image;
use DFP::Kept;
use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm;

use constant {
    SOON     => 10,     # s
    REGISTRY => 'http://registry.test',
    JOBS     => '/oapi/v1/jobs',
    EVENTS   => '/oapi/v1/events',
    TOKENS   => '/api/v1/personal-access-tokens',
    LATE     => '2037-01-01T00:00:00Z',
    NONE     => 999,    # nothing has this id
};

my (%text, $api, @seen);

find({ no_chdir => 1, wanted => sub {
    return if !/\.[ch]$/;

    open my $file, '<', $_ or die "$_: $!";
    local $/;
    my $code = <$file>;

    $text{s{.*/}{}r} = $code;
    $api .= $code if m{/src/api/};
} }, "$FindBin::Bin/../src");

my $all = join '', map { $text{$_} } sort keys %text;
my $document = document();
my $schemas = $document->{components}{schemas};


subtest 'fields of requests' => sub {

    # the module alone sets an action; the type is that of the stored job

    same('a job', [ keys_read(
            qr/^dfp_job_(?:parse|checks|fields|header|task)\.c$/,
            'action', 'found_url', 'pushed'), 'webhook' ],
         [ map { properties($_) } map { ("${_}Request", "${_}ArgsRequest") }
                                  qw( Job Task Distribution ) ]);
    same('a webhook', [ keys_read(qr/^dfp_webhook\.c$/, 'webhook') ],
         [ properties('WebhookRequest') ]);
    same('a change of a job', [ keys_read(qr/^dfp_job_about\.c$/, 'type') ],
         [ properties('JobChangeRequest') ]);
    same('a token, and a change of one', [ keys_read(qr/^dfp_token\.c$/) ],
         [ map { properties($_) } qw( TokenRequest TokenChangeRequest ) ]);
};


subtest 'parameters of the query, and headers' => sub {
    same('parameters', [ $all =~ /\bngx_dfp_query_get\(\S+ "(\w+)="/g ],
         [ 'access_token', parameters('query') ]);
    same('headers', [ $api =~ /ngx_str_t\s+name = ngx_string\("([\w-]+)"\)/g ],
         [ parameters('header') ]);
    same('headers of answers', [ 'ETag', 'Link', 'Allow',
         grep { !/^(?:Cache-Control|X-Accel-Buffering)$/ }
         $all =~ /\bngx_dfp_api_header\(\w+, "([\w-]+)"/g ],
         [ keys %{ $document->{components}{headers} } ]);
};


subtest 'fields of answers' => sub {
    my @printed = map { /(?:[{,]|(?<!\\)")\\"(\w+)\\":/g } $all;
    my @lists = map { ($_, "${_}_omitted") } $all =~ /_list\(&?b, "(\w+)"/g;
    my @described = map { all_properties($schemas->{$_}) }
                    grep { !/Request$/ } keys %$schemas;

    # a secret is printed to be sealed, and the job of a policy to be parsed

    same('fields', [ grep { !/^(?:secret|scheduler_cluster_ids)$/ } @printed, @lists ],
         \@described);
};


subtest 'paths and methods' => sub {
    my %described = map { my $path = $_;
        $path => join ', ', sort map { uc } grep { $_ ne 'parameters' }
                            keys %{ $document->{paths}{$path} } }
        keys %{ $document->{paths} };
    my %known;

    my %names = $all =~ /\#define (NGX_DFP_\w+_PATH)\s+"([^"]+)"/g;

    while ($text{'ngx_dfp_handler.c'} =~ /\{\sngx_string\((?:"([^"]+)"|(\w+))\),
                                          \s(\d),\s*[\w|\s]+,\s*"([^"]+)"/xg)
    {
        my $path = ($1 // $names{$2}) . ($3 ? '/{id}' : '')
                   . ($3 == 4 ? '/events' : '');

        $known{$path} = join ', ', sort split /, /, $4;
    }

    is_deeply(\%described, \%known, 'the same');
};


# Where a limit stands in the document, and the constant that has it in src/.

my %limits = (
    'JobRequest.bio.maxLength'                      => 'DFP_JOB_MAX_TEXT',
    'JobRequest.scheduler_cluster_ids.maxItems'     => 'DFP_JOB_MAX_CLUSTERS',
    'JobChangeRequest.bio.maxLength'                => 'DFP_JOB_MAX_TEXT',
    'JobArgsRequest.url.maxLength'                  => 'DFP_URL_MAX_LEN',
    'JobArgsRequest.urls.maxItems'                  => 'DFP_JOB_MAX_URLS',
    'JobArgsRequest.urls.items.maxLength'           => 'DFP_URL_MAX_LEN',
    'JobArgsRequest.headers.maxProperties'          => 'DFP_JOB_MAX_HEADERS',
    'JobArgsRequest.headers.propertyNames.maxLength' => 'DFP_JOB_MAX_HEADER_NAME',
    'JobArgsRequest.headers.additionalProperties.maxLength'
                                                    => 'DFP_JOB_MAX_HEADER_VALUE',
    'JobArgsRequest.ips.maxItems'                   => 'DFP_JOB_MAX_IPS',
    'JobArgsRequest.count.maximum'                  => 'DFP_JOB_MAX_COUNT',
    'JobArgsRequest.concurrent_task_count.maximum'  => 'DFP_JOB_TASKS_MAX',
    'JobArgsRequest.concurrent_peer_count.maximum'  => 'DFP_JOB_PEERS_MAX',
    'JobArgsRequest.piece_length.minimum'           => 'DFP_JOB_PIECE_MIN',
    'JobArgsRequest.piece_length.maximum'           => 'DFP_JOB_PIECE_MAX',
    'JobArgsRequest.filtered_query_params.maxLength' => 'DFP_JOB_MAX_FILTER',
    (map { ("JobArgsRequest.$_.maxLength" => 'DFP_JOB_MAX_TEXT') }
         qw( tag application username password platform )),
    'TaskArgsRequest.url.maxLength'                 => 'DFP_URL_MAX_LEN',
    'TaskArgsRequest.task_id.maxLength'             => 'DFP_JOB_MAX_TASK_ID',
    'TaskArgsRequest.content_for_calculating_task_id.maxLength'
                                                    => 'DFP_JOB_MAX_CONTENT',
    'DistributionArgsRequest.url.maxLength'         => 'DFP_URL_MAX_LEN',
    'DistributionArgsRequest.concurrent_layer_count.maximum'
                                                    => 'DFP_JOB_TASKS_MAX',
    'WebhookRequest.url.maxLength'                  => 'DFP_URL_MAX_LEN',
    'WebhookRequest.secret.maxLength'               => 'DFP_WEBHOOK_MAX_SECRET',
    'TokenRequest.name.maxLength'                   => 'DFP_TOKEN_MAX_NAME',
    'TokenRequest.bio.maxLength'                    => 'DFP_TOKEN_MAX_BIO',
    'TokenRequest.scopes.maxItems'                  => 'DFP_TOKEN_MAX_SCOPES',
    'TokenRequest.expired_at.maxLength'             => 'DFP_TOKEN_MAX_TIME',
    'TokenChangeRequest.bio.maxLength'              => 'DFP_TOKEN_MAX_BIO',
    'TokenChangeRequest.scopes.maxItems'            => 'DFP_TOKEN_MAX_SCOPES',
    'TokenChangeRequest.expired_at.maxLength'       => 'DFP_TOKEN_MAX_TIME',
);

subtest 'limits' => sub {
    my %constants = map { /^#define (\w+)\s+(?:INT64_C\()?(\d+)\)?\s/mg }
                    values %text;

    for my $place (sort keys %limits) {
        my ($name, $field, @steps) = split /\./, $place;
        my $value = $schemas->{$name}{properties}{$field};

        $value = $value->{$_} for @steps;
        is($value, $constants{$limits{$place}}, "$place: $limits{$place}");
    }

    my $parameters = $document->{components}{parameters};

    is($parameters->{Page}{schema}{maximum}, $constants{DFP_PAGE_MAX}, 'page');
    is($parameters->{PerPage}{schema}{maximum}, $constants{DFP_PAGE_MAX_SIZE},
       'per_page');
};


# Tables of names in src/, and where their names stand in the document.

my %names = (
    dfp_job_kinds    => [ together(map { $schemas->{$_}{properties}{type} }
                          qw( JobRequest TaskRequest DistributionRequest )) ],
    dfp_job_types    => [ $schemas->{JobArgsRequest}{properties}{type},
                          $schemas->{JobArgs}{properties}{type} ],
    dfp_job_scopes   => [ $schemas->{JobArgsRequest}{properties}{scope} ],
    dfp_job_actions  => [ together(map { $schemas->{$_}{properties}{action} }
                          qw( JobArgs TaskArgs )) ],
    dfp_token_scopes => [ map { $schemas->{$_}{properties}{scopes}{items} }
                          qw( TokenRequest TokenChangeRequest Token ) ],
    dfp_token_states => [ map { $schemas->{$_}{properties}{state} }
                          qw( TokenChangeRequest Token ) ],
);

subtest 'values' => sub {
    for my $table (sort keys %names) {
        my ($lines) = $all =~ /\b$table\[\] = \{(.*?)\n\};/s
            or die "no $table";
        my @known = $lines =~ /\{ "([^"]+)"/g;

        same($table, \@known, [ grep { length($_ // '') } @{ $_->{enum} } ])
            for @{ $names{$table} };
    }

    my ($states) = $text{'ngx_dfp_jobs_list.c'} =~ /states\[\] = \{(.*?)\};/s;
    my ($listed) = grep { $_->{name} eq 'state' }
                   grep { $_->{name} }
                   @{ $document->{paths}{+JOBS}{get}{parameters} };

    same('states', [ $states =~ /"(\w+)"/g ],
         [ grep { length } @{ $listed->{schema}{enum} } ]);
};


# What real answers have.

my $upstream = DFP::Upstream->start;
my $hooks = DFP::Hooks->new('/contract', { status => 204 });

warm_story 'answers', { http => "dfpreheat_policy app match=app;\n" },
           location('/v2/', REGISTRY, $upstream->port) . rehearsal()
                          . DFP::Hooks->location, sub
{
    my $warm = shift;
    my $servers = $warm->{servers};

    $servers->token;
    $servers->{token} = $servers->token('job', 'cluster', 'origin-credentials');

    @seen = ();
    $_->($servers) for \&images, \&files, \&tasks, \&lists, \&look_ups, \&tokens,
                       \&errors;

    is(undescribed(@seen), '',
       @seen . ' answers have what is described, and nothing else');
};

done_testing();


sub same
{
    my ($name, $known, $described) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ unique(@$described) ], [ unique(@$known) ], $name);
}


sub together { return { enum => [ map { @{ $_->{enum} } } @_ ] } }


sub unique { my %names = map { $_ => 1 } @_; return sort keys %names }


# The keys that are read from JSON in these files, but for some.

# A push that becomes a job, and one that does not.

sub pushes
{
    my ($servers, $image) = @_;

    my $answer = ask($servers->client, 'POST', '/oapi/v1/notifications', {
        events => [ map { +{ action => 'push', target => {
            mediaType => 'application/vnd.oci.image.manifest.v1+json',
            repository => $_, tag => '1', digest => 'sha256:' . 'ab' x 32,
            url => REGISTRY . "/v2/$_/manifests/1" } } } qw( app other ) ] });

    ended($servers, $answer->{json}{jobs}[0]{id});
}


sub keys_read
{
    my ($files, @others) = @_;

    my %other = map { $_ => 1 } @others;

    return grep { !$other{$_} }
           map { $text{$_} =~ /\(\s*&?in(?:->object)?,\s*"(\w+)"/g }
           grep { /$files/ } sort keys %text;
}


sub properties { keys %{ $schemas->{ $_[0] }{properties} } }


sub all_properties
{
    my $node = shift;

    return map { all_properties($_) } @$node if ref $node eq 'ARRAY';
    return if ref $node ne 'HASH';

    return ref $node->{properties} eq 'HASH' ? keys %{ $node->{properties} } : (),
           map { all_properties($_) } values %$node;
}


sub parameters
{
    my $where = shift;

    return map { $_->{name} } grep { ($_->{in} // '') eq $where }
           values %{ $document->{components}{parameters} },
           map { @{ $_->{parameters} // [] } } operations();
}


sub operations
{
    return map { my $path = $_;
                 map { $path->{$_} } grep { $_ ne 'parameters' } keys %$path }
           values %{ $document->{paths} };
}


# Sends a request, and keeps what is to be compared with the document; the answer.

sub ask
{
    my ($client, $method, $path, $body, $headers) = @_;

    my $text = ref $body ? encode_json($body) : $body;
    my $answer = $method =~ /^(?:HEAD|OPTIONS)$/
                 ? without_body($client, $method, $path)
                 : $client->request($method, $path, $text, $headers);

    push @seen, {
        method => $method, path => $path, status => $answer->{status},
        type => $answer->{headers}{'content-type'},
        headers => [ keys %{ $answer->{headers} } ],
        exists $answer->{json} ? (body => $answer->{json}) : (),
        ref $body && $answer->{status} == 200 ? (sent => $body) : (),
    };

    return $answer;
}


sub without_body
{
    my ($client, $method, $path) = @_;

    return HTTP::Tiny->new->request($method,
        "http://127.0.0.1:$client->{port}$path", { headers =>
            $client->{token} ? { Authorization => "Bearer $client->{token}" }
                             : {} });
}


sub ended
{
    my ($servers, $id) = @_;

    my $answer = ask($servers->client, 'GET', JOBS . "/$id?wait=9s");

    isnt($answer->{json}{state}, 'PENDING', "job $id has ended");

    return $answer->{json};
}


# An image with a foreign layer, with everything that a job can have.

sub images
{
    my $servers = shift;

    my $image = DFP::Image->new($upstream, 'app');

    $image->tag('1', $image->manifest($image->layer('one'), {
        mediaType => 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        digest => 'sha256:' . 'a' x 64, size => 3 }));

    my $posted = ask($servers->client, 'POST', JOBS, {
        type => 'preheat', bio => 'an image', user_id => 7,
        scheduler_cluster_ids => [1],
        webhook => { url => $hooks->url, secret => DFP::Hooks::SECRET },
        args => {
            type => 'image', url => REGISTRY . $image->by_tag('1'), urls => undef,
            platform => 'linux/amd64', scope => 'all_peers', username => 'me',
            password => 'secret', headers => { 'User-Agent' => 'me',
                                               'X-Api-Key' => 'secret' },
            concurrent_task_count => 2, concurrent_peer_count => 3,
            ips => ['127.0.0.1'], count => 1, percentage => undef,
            success_threshold => 100, refresh => JSON::PP::true,
            subjects => JSON::PP::true,
            keep_until => in_seconds(HOUR),
            verify => JSON::PP::true,
            enable_task_id_based_blob_digest => JSON::PP::true,
            piece_length => 4194304, timeout => 60_000_000_000, tag => 'tag',
            application => 'app', filtered_query_params => 'a&b',
        },
    }, { 'Idempotency-Key' => 'one' });

    my $job = ended($servers, $posted->{json}{id});

    $hooks->state_of($servers, $job->{id}, SOON);
    ended($servers, $job->{id});

    ask($servers->client, 'PATCH', JOBS . "/$job->{id}", { bio => 'another' });
    pushes($servers, $image);
    ask($servers->client, 'HEAD', JOBS . "/$job->{id}");
    ask($servers->client, 'GET', JOBS . "/$job->{id}?fail=1");
}


# Jobs about tasks, of what was preheated before, and what fails.

sub tasks
{
    my $servers = shift;

    my $image = REGISTRY . '/v2/app/manifests/1';

    for my $type (qw( get_task delete_task )) {
        for my $url ($image, REGISTRY . '/v2/none/manifests/1') {
            my $posted = ask($servers->client, 'POST', JOBS, {
                type => $type, bio => 'a task', user_id => 7, args => {
                    url => $url, task_id => undef, tag => 'tag',
                    content_for_calculating_task_id => undef,
                    application => 'app', filtered_query_params => 'a&b',
                    piece_length => 4194304, timeout => 60_000_000_000,
                    concurrent_peer_count => 3 } });

            ended($servers, $posted->{json}{id});
        }

        ask($servers->client, 'POST', JOBS, {
            type => 'get_image_distribution', args => {
                url => $image, platform => 'linux/amd64',
                concurrent_layer_count => 2, headers => {} } });
    }

    ask($servers->client, 'POST', JOBS, {
        type => 'get_image_distribution',
        args => { url => REGISTRY . '/v2/none/manifests/1' } });
    ask($servers->client, 'POST', JOBS, {
        type => 'get_task', args => { task_id => 'a' x 64 } });
    ask($servers->client, 'GET', JOBS . '?type=get_task');
}


sub events_until_end
{
    my $events = shift;

    my @events;

    do { push @events, $events->next(SOON) // die 'no end' }
        until $events[-1]{event} eq 'end';

    return @events;
}


# Jobs that run, that are deleted, that fail, and the events of one, and of all.

sub files
{
    my $servers = shift;

    my $gate = '/gate/1000/a';
    my $all = DFP::Events->open($servers, EVENTS);

    push @seen, { method => 'GET', path => EVENTS, status => $all->status,
                  headers => [], type => $all->header('content-type') };
    ask($servers->client, 'HEAD', EVENTS);
    is($all->next(SOON)->{event}, 'hello', 'all jobs are watched');

    my $posted = ask($servers->client, 'POST', JOBS, $servers->files([$gate]));
    my $id = $posted->{json}{id};

    $servers->origin->wait_at_gate($gate, SOON) or die 'nobody fetches it';

    my $events = DFP::Events->open($servers, JOBS . "/$id/events");

    push @seen, { method => 'GET', path => JOBS . "/$id/events",
                  status => $events->status, headers => [],
                  type => $events->header('content-type') },
                { schema => 'JobProgressEvent', body => $events->next(SOON)->{data} };

    ask($servers->client, 'GET', JOBS . "/$id");
    ask($servers->client, 'GET', JOBS . "/$id?fail=1");
    ask($servers->client, 'HEAD', JOBS . "/$id/events");
    $servers->origin->open_gate($gate);

    my $event;

    do { $event = $events->next(SOON) or die 'no end' }
        until $event->{event} eq 'end';

    push @seen, { schema => 'Job', body => $event->{data} },
                map { { schema => $_->{event} eq 'created' ? 'Job'
                                  : 'JobProgressEvent', body => $_->{data} } }
                events_until_end($all);

    is(ask($servers->client, 'POST', JOBS . '?wait=9s',
           { %{ $servers->files([ $gate, '/none' ]) }, dry_run => JSON::PP::true })
       ->{json}{result}{job_states}[0]{state}, 'SUCCESS', 'a dry run');

    my $failed = ask($servers->client, 'POST', JOBS . '?wait=9s&fail=1',
                     $servers->files([ '/none' ], digest => 'sha256:' . 'a' x 64,
                                     size => 1));

    is($failed->{status}, 424, 'a job has failed');
    ask($servers->client, 'GET', JOBS . "/$failed->{json}{id}");
    ask($servers->client, 'DELETE', JOBS . "/$failed->{json}{id}");
}


sub lists
{
    my $servers = shift;

    for my $path (JOBS . '?state=SUCCESS&type=preheat&page=1&per_page=5',
                  JOBS . '?state=RETRY', JOBS . '?user_id=7', '/oapi/v1/clusters',
                  '/oapi/v1/clusters?name=none', '/oapi/v1/clusters/1')
    {
        is(ask($servers->client, 'GET', $path)->{status}, 200, $path);
        ask($servers->client, 'HEAD', $path);
    }
}


# A look-up is a job, too.

sub look_ups
{
    my $servers = shift;

    my $query = '?url=' . REGISTRY . '/v2/app/manifests/1&platform=linux/amd64';

    for my $method (qw( GET HEAD DELETE )) {
        is(ask($servers->client, $method, "/oapi/v1/cache$query")->{status}, 200,
           "$method of what is cached");
    }

    my $last = $servers->redis('get', 'dfpreheat:job:next');

    is(ended($servers, $last)->{type}, 'cache', 'the job of a look-up');
    ended($servers, $last - 1);
}


sub tokens
{
    my $servers = shift;

    my $admin = $servers->admin;
    my $token = ask($admin, 'POST', TOKENS, {
        name => 'mine', bio => 'my own', scopes => [ 'job' ], user_id => 3,
        expired_at => LATE })->{json};
    my $path = TOKENS . "/$token->{id}";

    ask($admin, 'POST', TOKENS, { name => 'mine', expired_at => LATE });
    ask($admin, $_, TOKENS . '?state=active&user_id=3') for qw( GET HEAD );
    ask($admin, $_, $path) for qw( GET HEAD );
    ask($admin, 'PATCH', $path, { state => 'inactive', scopes => [ 'cluster' ],
                                  expired_at => LATE, user_id => 4, bio => '' });

    my $client = DFP::Client->new(port => $servers->{port},
                                  token => $token->{token});

    is(ask($client, 'GET', JOBS)->{status}, 403, 'an inactive token');
    is(ask($client, 'GET', '/healthy')->{status}, 401, 'is not healthy');
    ask($servers->client, 'GET', '/healthy');
    ask($admin, 'DELETE', $path);
}


sub errors
{
    my $servers = shift;

    my $client = $servers->client;
    my $stranger = DFP::Client->new(port => $servers->{port});
    my %status = (
        'GET /healthy' => 200, 'HEAD /healthy' => 200,
        'GET ' . JOBS() => 401, 'GET ' . TOKENS() => 401,
        'OPTIONS ' . JOBS() => 204,
        'GET /oapi/v1/openapi.yaml' => 200,
    );

    is(ask($stranger, split / /, $_)->{status}, $status{$_}, "$_ of a stranger")
        for sort keys %status;

    is(ask($client, 'GET', $_ . '/' . NONE)->{status}, 404, "$_: there is none")
        for JOBS, '/oapi/v1/clusters';

    is(ask($client, 'GET', $_)->{status}, 422, "$_ is refused")
        for JOBS . '/0', JOBS . '?page=x', JOBS . '/0/events', '/oapi/v1/cache',
            '/oapi/v1/clusters/0';

    is(ask($client, 'GET', JOBS . '/' . NONE . '/events')->{status}, 404,
       'no events of a job that does not exist');

    is(ask($client, 'POST', JOBS, '{')->{status}, 422, 'half a body');
    is(ask($client, 'POST', JOBS, ' ' x 3_000_000)->{status}, 413, 'a long body');
    is(ask($servers->admin, 'DELETE', TOKENS . '/' . NONE)->{status}, 404,
       'no such token');
}
