# POST /oapi/v1/jobs: the answer, and what is refused whatever the job is.

use Test::Nginx::Socket 'no_plan';
use DFP;
use DFP::Jobs;

our $Clusters = '"scheduler_clusters":['
                . shown_cluster(1, 'cluster-1', 'true') . ']';

# A body of so many bytes.

sub sized
{
    my $size = shift;

    my $empty = posting(beside(bio => ''));
    my $body = length($empty) - length "POST /oapi/v1/jobs\n";

    return posting(beside(bio => 'b' x ($size - $body)));
}

sub chunked
{
    my ($head, $body) = split /\n/, shift, 2;

    my $chunks = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                          $body =~ /(.{1,100})/gs;

    return "$head HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
           . bearer('token-with-scope-job') . "\r\n"
           . "Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n";
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: a job of a file, with nothing but its URL
--- request eval
main::posting(main::file())
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body_like eval
main::shape(main::shown_file(1, 'PENDING', 'null'))
--- redis
get dfpreheat:job:next = 1



=== TEST 2: a job of an image, with all that there is
--- request eval
my $job = main::image(piece_length => 8388608, tag => 't',
    application => 'app', filtered_query_params => 'a&b',
    headers => { 'User-Agent' => '1' }, username => 'user', password => 'secret',
    platform => 'linux/arm64', scope => 'all_seed_peers',
    ips => ['127.0.0.1'], percentage => 50, count => 2,
    concurrent_task_count => 4, concurrent_peer_count => 10,
    enable_task_id_based_blob_digest => JSON::PP::true,
    timeout => 60000000000);
main::posting({ %$job, bio => 'bio text', user_id => 1,
                scheduler_cluster_ids => [1] })
--- response_body_like eval
main::shape('{"id":1,"created_at":TIME,"updated_at":TIME,"is_del":0,"task_id":"group_UUID","bio":"bio text","type":"preheat","user_id":1,"state":"PENDING","args":{"application":"app","concurrent_peer_count":10,"concurrent_task_count":4,"count":2,"enable_task_id_based_blob_digest":true,"filtered_query_params":"a&b","hdfs":null,"headers":{"User-Agent":"1"},"ips":["127.0.0.1"],"object_storage":null,"password":"***","percentage":50,"piece_length":8388608,"platform":"linux/arm64","scope":"all_seed_peers","tag":"t","timeout":60000000000,"type":"image","url":"http://registry.test/v2/app/manifests/1","urls":null,"username":"***"},"result":null,"user":USER,"seed_peer_clusters":null,' . $main::Clusters . '}')
--- redis
get dfpreheat:job:next = 1



=== TEST 3: a job goes to the clusters that were asked for, or to all
--- http_config eval
main::http('dfpreheat_cluster 7 name=seven engine=cache;')
--- request eval
[map { main::posting(main::beside(scheduler_cluster_ids => $_)) }
     undef, [7], [7, 1, 7], [2]]
--- error_code eval
[200, 200, 200, 422]
--- response_body_like eval
my @one = (1, 'cluster-1', 'true');
my @seven = (7, 'seven', 'false');
[quotemeta('[' . main::shown_cluster(@one) . ',' . main::shown_cluster(@seven) . ']'),
 quotemeta('[' . main::shown_cluster(@seven) . ']'),
 quotemeta('[' . main::shown_cluster(@seven) . ',' . main::shown_cluster(@one) . ']'),
 main::refusal(errors => 'cluster 2 | 1, 7')]
--- redis
get dfpreheat:job:next = 3



=== TEST 4: the letter case of keys does not matter, and the last of them counts
--- request eval
[main::posting('{"TYPE":"preheat","Bio":"b","Args":{"Type":"file","URL":'
               . '"http://files.test/one","TAG":"t","Headers":{"User-Agent":"1"}}}'),
 main::posting('{"type":"preheat","args":{"type":"file",'
               . '"url":"http://files.test/one","Url":"http://files.test/two"}}'),
 main::posting('{"type":"preheat","args":{"type":"file",'
               . '"URL":"http://files.test/one","url":"http://files.test/two"}}'),
 main::posting('{"type":"preheat","args":{"type":"FILE",'
               . '"url":"http://files.test/one"}}')]
--- error_code eval
[200, 200, 200, 422]
--- response_body_like eval
['"bio":"b",.*"headers":\{"User-Agent":"1"\},.*"tag":"t",.*"url":"http://files\.test/one"',
 ('"url":"http://files\.test/two"') x 2,
 main::refusal(errors => 'args.type | image or file')]



=== TEST 5: credentials need a key to be sealed with
--- http_config
dfpreheat_redis 127.0.0.1:$TEST_NGINX_REDIS_PORT;
dfpreheat_cluster 1 name=cluster-1 engine=cache;
--- request eval
[main::posting(main::file(password => 'secret')),
 main::posting(main::file(headers => { Authorization => 'secret' })),
 main::posting(main::file(url => 'http://files.test/a?Signature=secret')),
 main::posting(main::file(headers => { 'User-Agent' => 'no secret' }))]
--- error_code eval
[422, 422, 422, 200]
--- response_body_like eval
[(main::refusal(errors => 'args | credentials | dfpreheat_key')) x 3,
 '"User-Agent":"no secret"']
--- redis
get dfpreheat:job:next = 1



=== TEST 6: a body of dfpreheat_max_body_size is taken, a larger one is not
--- http_config eval: main::http('dfpreheat_max_body_size 1000;')
--- request eval
[main::sized(1000), main::sized(1001)]
--- error_code eval
[200, 413]
--- response_body_like eval
['"id":1',
 main::refusal(message => 'body | dfpreheat_max_body_size')]
--- redis
get dfpreheat:job:next = 1



=== TEST 7: the same of a body in chunks
--- http_config eval: main::http('dfpreheat_max_body_size 1000;')
--- raw_request eval
main::chunked(main::sized(1000))
--- response_body_like: "id":1
--- redis
get dfpreheat:job:next = 1



=== TEST 8: a larger body in chunks
--- http_config eval: main::http('dfpreheat_max_body_size 1000;')
--- raw_request eval
main::chunked(main::sized(1001))
--- error_code: 413
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body_like eval
main::refusal(message => 'body | dfpreheat_max_body_size')
--- redis
get dfpreheat:job:next =



=== TEST 9: dfpreheat_max_body_size stands in place of client_max_body_size
--- http_config eval: main::http('client_max_body_size 10;')
--- request eval
main::sized(1000)
--- response_body_like: "id":1



=== TEST 10: a full queue takes no job until there is room
--- http_config eval: main::http('dfpreheat_queue_limit 2;')
--- init
main::redis('zadd', 'dfpreheat:deadlines', DFP::FAR_FUTURE, 8,
            DFP::FAR_FUTURE, 9);
--- request eval
main::posting(main::file())
--- error_code: 429
--- response_headers
Retry-After: 10
Content-Type: application/json; charset=utf-8
--- response_body_like eval
main::refusal(message => 'queue | full | 2 jobs | /dfpreheat_queue_limit\b.*\b2\b/')
--- redis
get dfpreheat:job:next =
zcard dfpreheat:deadlines = 2



=== TEST 11: and there is room for one
--- http_config eval: main::http('dfpreheat_queue_limit 2;')
--- init
main::redis('zadd', 'dfpreheat:deadlines', DFP::FAR_FUTURE, 8);
--- request eval
main::posting(main::file())
--- response_body_like: "id":1
--- redis
get dfpreheat:job:next = 1



=== TEST 12: other methods and paths
--- request eval
['PUT /oapi/v1/jobs', 'DELETE /oapi/v1/jobs', 'POST /oapi/v1/job', 'GET /oapi']
--- error_code eval
[405, 405, 404, 404]
--- response_headers eval
[('Allow: GET, HEAD, POST, OPTIONS') x 2, ('Content-Type: application/json; charset=utf-8'),
 'Content-Type: text/html']
--- response_body_like eval
[('^\{"message":"Method Not Allowed"\}\z') x 2,
 '^\{"message":"Not Found"\}\z', 'html']
