# Jobs as tests post them, and what the module shows of each.

package DFP::Jobs;

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT = qw( beside default_filter file image shown_cluster
                  shown_file );

my @filter = qw(
    X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires
    X-Amz-SignedHeaders X-Amz-Signature X-Amz-Security-Token X-Amz-User-Agent
    X-Goog-Algorithm X-Goog-Credential X-Goog-Date X-Goog-Expires
    X-Goog-SignedHeaders X-Goog-Signature OSSAccessKeyId Expires Signature
    SecurityToken AccessKeyId Signature Expires X-Obs-Date
    X-Obs-Security-Token q-sign-algorithm q-ak q-sign-time q-key-time
    q-header-list q-url-param-list q-signature x-cos-security-token ns );


# A job of a file and one of an image, with other or more args.

sub file
{
    return { type => 'preheat',
             args => { type => 'file', url => 'http://files.test/a', @_ } };
}


sub image
{
    return { type => 'preheat',
             args => { type => 'image',
                       url => 'http://registry.test/v2/app/manifests/1',
                       @_ } };
}


# With something beside type and args.

sub beside { return { %{ file() }, @_ } }


# As Dragonfly's manager has it.

sub default_filter { return join '&', @filter }


# A cluster in the answer, as text.

sub shown_cluster
{
    my ($id, $name, $default) = @_;

    return qq({"id":$id,"created_at":"0001-01-01T00:00:00Z",)
           . qq("updated_at":"0001-01-01T00:00:00Z","is_del":0,)
           . qq("name":"$name","bio":"cache","config":{},)
           . qq("client_config":{},"seed_client_config":{},"scopes":{},)
           . qq("is_default":$default,"seed_peer_clusters":null,)
           . qq("schedulers":null,"peers":null,"jobs":null});
}


# The answer about a job of a file, for shape(): its id, state and result, and
# the clusters' list.

sub shown_file
{
    my ($id, $state, $result, @clusters) = @_;

    my $seeds = $result eq 'null' ? 'null' : '[]';
    my $clusters = join ',', @clusters ? @clusters
                                       : shown_cluster(1, 'cluster-1', 'true');

    return qq({"id":$id,"created_at":TIME,"updated_at":TIME,"is_del":0,)
           . q("task_id":"group_UUID","bio":"","type":"preheat","user_id":0,)
           . qq("state":"$state","args":{"application":"",)
           . q("concurrent_peer_count":500,"concurrent_task_count":8,)
           . q("count":null,"enable_task_id_based_blob_digest":null,)
           . q("filtered_query_params":") . default_filter()
           . q(","hdfs":null,"headers":null,"ips":null,)
           . q("object_storage":null,"password":"","percentage":null,)
           . q("piece_length":null,"platform":"",)
           . q("scope":"all_peers","tag":"","timeout":3600000000000,)
           . q("type":"file","url":"http://files.test/a","urls":null,)
           . qq("username":""},"result":$result,"user":USER,)
           . qq("seed_peer_clusters":$seeds,)
           . qq("scheduler_clusters":[$clusters]});
}

1;
