# Values of the directives about Dragonfly that nginx refuses, each with a sentence
# that says why.

use Test::Nginx::Socket 'no_plan';
use DFP;

use DFP::Certificates;

use File::Temp ();

my $ca = DFP::Certificates->new;
my $dir = File::Temp->newdir('dfpreheat-config-XXXXXXXX', TMPDIR => 1);

open my $in, '<', $ca->file or die 'the certificate: ' . $ca->file;
my $pem = do { local $/; <$in> };

# a certificate, and after it half of another one

my %file = ('broken.pem' => $pem . substr($pem, 0, length($pem) / 2),
            'wrong.pem'  => $pem . $pem =~ s/\n..../\n=!=!/r,
            'none.pem'   => "not a certificate\n",
            'many.pem'   => $pem x 65,
            'empty.pem'  => '');

for my $name (keys %file) {
    open my $out, '>', "$dir/$name" or die "$name: $!";
    print {$out} $file{$name};
    close $out or die "$name: $!";
}

$ENV{TEST_NGINX_PEM_DIR} = "$dir";
$ENV{TEST_NGINX_CA} = $ca->file;


our $Grpc = <<'END';
location @dfpreheat_grpc { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
END


# A cluster with these parameters; and directives with a cluster that has none.

sub cluster { http("dfpreheat_cluster 2 name=swarm engine=peers $_[0];\n") }

sub directives
{
    return http(join "\n", 'dfpreheat_cluster 2 name=swarm engine=peers '
                           . '127.0.0.1:1;', @_, '');
}

run_tests();

__DATA__

=== TEST 1: everything at once, as in the README
--- http_config eval
main::http(<<'END');
dfpreheat_cluster 2 name=one engine=peers 127.0.0.1:1 grpc://[::1]:2 localhost
                  peers_tls=off blob_digest=on location=@one peers_location=@two
                  map=https://index.docker.io=https://docker.io
                  map=http://a.test:5000/=http://b.test;
dfpreheat_cluster 3 name=two engine=scheduler grpcs://127.0.0.1 location=@two;
dfpreheat_cluster 4 name=three engine=peers grpcs://127.0.0.1 peers_tls=on
                  location=@two blob_digest=off;
dfpreheat_peers_allow         10.0.0.0/8 192.0.2.1 fc00::/7;
dfpreheat_certificate_chain   $TEST_NGINX_CA;
dfpreheat_unreachable_peers   5%;
dfpreheat_success_threshold   99;
END
--- config eval
main::api(<<'END');
location @one { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
location @two {
    include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf;
    grpc_ssl_verify               on;
    grpc_ssl_trusted_certificate  $TEST_NGINX_CA;
}
END
--- request
GET /healthy
--- response_body chomp
"OK"
--- no_error_log
[error]
[warn]



=== TEST 2: no address of a scheduler
--- http_config eval: main::cluster('')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: engine=peers needs the address of a scheduler, as in "scheduler-1:8002"



=== TEST 3: the other engine without an address
--- http_config eval: main::http('dfpreheat_cluster 3 name=three engine=scheduler;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 3: engine=scheduler needs the address of a scheduler, as in "scheduler-1:8002"



=== TEST 4: no location that gRPC goes through
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
--- must_die
--- error_log
dfpreheat_cluster 2 needs a location that gRPC goes through, as in "location @dfpreheat_grpc { include dfpreheat_grpc.conf; }"



=== TEST 5: a location whose dfpreheat_grpc is off
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @dfpreheat_grpc { dfpreheat_grpc off; grpc_pass $dfpreheat_target; }
--- must_die
--- error_log
dfpreheat_cluster 2 needs a location that gRPC goes through



=== TEST 6: dfpreheat_grpc outside of a named location
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location /grpc/ { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
--- must_die
--- error_log
"dfpreheat_grpc" directive belongs into a named location, as in "location @dfpreheat_grpc"



=== TEST 7: dfpreheat_grpc is a switch
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @dfpreheat_grpc { dfpreheat_grpc maybe; }
--- must_die
--- error_log
invalid value "maybe" in "dfpreheat_grpc" directive, it must be "on" or "off"



=== TEST 8: dfpreheat_grpc twice
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @dfpreheat_grpc {
    include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf;
    dfpreheat_grpc on;
}
--- must_die
--- error_log
"dfpreheat_grpc" directive is duplicate



=== TEST 9: location= that is not there
--- http_config eval: main::cluster('127.0.0.1:1 location=@other')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: there is no location "@other" with dfpreheat_grpc



=== TEST 10: peers_location= that is not there
--- http_config eval: main::cluster('127.0.0.1:1 peers_location=@other')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: there is no location "@other" with dfpreheat_grpc



=== TEST 11: two locations, and none named
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @one { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
location @two { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
--- must_die
--- error_log
dfpreheat_cluster 2 must say which of the locations with dfpreheat_grpc is its own, as in "location=@one"



=== TEST 12: two locations, and only that of the peers named
--- http_config eval: main::cluster('127.0.0.1:1 peers_location=@two')
--- config
location @one { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
location @two { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
--- must_die
--- error_log
dfpreheat_cluster 2 must say which of the locations with dfpreheat_grpc is its own, as in "location=@one"



=== TEST 13: a location without grpc_pass
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @dfpreheat_grpc { dfpreheat_grpc on; }
--- must_die
--- error_log
the location @dfpreheat_grpc has dfpreheat_grpc and needs "grpc_pass $dfpreheat_target"



=== TEST 14: grpc_pass to a server
--- http_config eval: main::cluster('127.0.0.1:1')
--- config
location @dfpreheat_grpc { dfpreheat_grpc on; grpc_pass 127.0.0.1:1; }
--- must_die
--- error_log
the location @dfpreheat_grpc has dfpreheat_grpc and needs "grpc_pass $dfpreheat_target"



=== TEST 15: grpcs:// without grpc_ssl_verify
--- http_config eval: main::cluster('grpcs://127.0.0.1:1')
--- config eval: $main::Grpc
--- must_die
--- error_log
the location @dfpreheat_grpc does not verify certificates: it needs "grpc_ssl_verify on" and "grpc_ssl_trusted_certificate", or all of them "dfpreheat_insecure_skip_verify on"



=== TEST 16: grpcs:// of one of several schedulers
--- http_config eval: main::cluster('127.0.0.1:1 grpcs://127.0.0.1:2')
--- config eval: $main::Grpc
--- must_die
--- error_log
the location @dfpreheat_grpc does not verify certificates: it needs "grpc_ssl_verify on" and "grpc_ssl_trusted_certificate", or all of them "dfpreheat_insecure_skip_verify on"



=== TEST 17: peers_tls=on without grpc_ssl_verify
--- http_config eval: main::cluster('127.0.0.1:1 peers_tls=on')
--- config eval: $main::Grpc
--- must_die
--- error_log
the location @dfpreheat_grpc does not verify certificates: it needs "grpc_ssl_verify on" and "grpc_ssl_trusted_certificate", or all of them "dfpreheat_insecure_skip_verify on"



=== TEST 18: peers_tls=on where only the location of schedulers verifies
--- http_config eval
main::cluster('grpcs://127.0.0.1:1 location=@one peers_location=@two '
              . 'peers_tls=on')
--- config
location @one {
    include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf;
    grpc_ssl_verify on;
    grpc_ssl_trusted_certificate $TEST_NGINX_CA;
}
location @two { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; }
--- must_die
--- error_log
the location @two does not verify certificates: it needs "grpc_ssl_verify on" and "grpc_ssl_trusted_certificate", or all of them "dfpreheat_insecure_skip_verify on"



=== TEST 19: grpc_ssl_verify without a certificate
--- http_config eval: main::cluster('grpcs://127.0.0.1:1')
--- config
location @dfpreheat_grpc { include $TEST_NGINX_CONF_DIR/dfpreheat_grpc.conf; grpc_ssl_verify on; }
--- must_die
--- error_log
no grpc_ssl_trusted_certificate for grpc_ssl_verify



=== TEST 20: map= with one origin
--- http_config eval: main::cluster('127.0.0.1:1 map=https://docker.io')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: "map=https://docker.io" must be two origins, as in map=https://index.docker.io=https://docker.io



=== TEST 21: map= to nothing
--- http_config eval: main::cluster('127.0.0.1:1 map=https://docker.io=')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: map= must



=== TEST 22: map= of a host
--- http_config eval: main::cluster('127.0.0.1:1 map=docker.io=https://docker.io')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: map= must



=== TEST 23: map= with a path
--- http_config eval: main::cluster('127.0.0.1:1 map=https://docker.io/v2/=https://other.test')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: "map=https://docker.io/v2/=https://other.test": an origin is scheme, host and port only



=== TEST 24: map= to a query
--- http_config eval: main::cluster('127.0.0.1:1 map=https://docker.io=https://other.test?ns=x')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: "map=https://docker.io=https://other.test?ns=x": an origin is scheme, host and port only



=== TEST 25: peers_tls= is a switch
--- http_config eval: main::cluster('127.0.0.1:1 peers_tls=yes')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: "peers_tls=yes" must be on or off



=== TEST 26: blob_digest= is a switch
--- http_config eval: main::cluster('127.0.0.1:1 blob_digest=1')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster: "blob_digest=1" must be on or off



=== TEST 27: an impossible port
--- http_config eval: main::cluster('127.0.0.1:65536')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: invalid port "127.0.0.1:65536": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 28: port 0
--- http_config eval: main::cluster('127.0.0.1:0')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: invalid port "127.0.0.1:0": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 29: a host that there is not
--- http_config eval: main::cluster('scheduler.invalid')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: host not found "scheduler.invalid": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 30: a socket in the file system
--- http_config eval: main::cluster('unix:/scheduler')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: invalid parameter "unix:/scheduler": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 31: another scheme
--- http_config eval: main::cluster('http://127.0.0.1:1')
--- config eval: $main::Grpc
--- must_die
--- error_log
"http://127.0.0.1:1": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 32: an address with a path
--- http_config eval: main::cluster('grpc://127.0.0.1:1/path')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: invalid host "grpc://127.0.0.1:1/path": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 33: a parameter that there is not
--- http_config eval: main::cluster('127.0.0.1:1 peer_tls=on')
--- config eval: $main::Grpc
--- must_die
--- error_log
"peer_tls=on": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 34: parameters without a value
--- http_config eval: main::cluster('127.0.0.1:1 location=')
--- config eval: $main::Grpc
--- must_die
--- error_log
"location=": it must be the address of a scheduler (host:port, grpc://, grpcs://), location=, peers_location=, peers_tls=, blob_digest= or map=



=== TEST 35: more schedulers than anybody has
--- http_config eval: main::cluster(join ' ', map { "127.0.0.1:$_" } 1 .. 33)
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_cluster 2: there are more than 32 addresses of schedulers



=== TEST 36: the engine cache with an address
--- http_config eval: main::http('dfpreheat_cluster 2 name=two engine=cache 127.0.0.1:1;')
--- config eval: $main::Grpc
--- must_die
--- error_log
127.0.0.1:1



=== TEST 37: the engine cache with a parameter of the others
--- http_config eval: main::http('dfpreheat_cluster 2 name=two engine=cache peers_tls=on;')
--- config eval: $main::Grpc
--- must_die
--- error_log
peers_tls=on



=== TEST 38: dfpreheat_peers_allow 10.0.0.0/33
--- http_config eval
main::directives('dfpreheat_peers_allow 192.168.0.0/16 10.0.0.0/33;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_peers_allow: "10.0.0.0/33" is no address and no network, as in 10.0.0.0/8



=== TEST 39: dfpreheat_peers_allow 10.0.0.300
--- http_config eval
main::directives('dfpreheat_peers_allow 192.168.0.0/16 10.0.0.300;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_peers_allow: "10.0.0.300" is no address and no network, as in 10.0.0.0/8



=== TEST 40: dfpreheat_peers_allow fd00::/129
--- http_config eval
main::directives('dfpreheat_peers_allow 192.168.0.0/16 fd00::/129;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_peers_allow: "fd00::/129" is no address and no network, as in 10.0.0.0/8



=== TEST 41: dfpreheat_peers_allow of nothing
--- http_config eval: main::directives('dfpreheat_peers_allow;')
--- config eval: $main::Grpc
--- must_die
--- error_log
invalid number of arguments in "dfpreheat_peers_allow" directive



=== TEST 42: dfpreheat_peers_allow twice
--- http_config eval
main::directives('dfpreheat_peers_allow 10.0.0.0/8;',
                 'dfpreheat_peers_allow fc00::/7;')
--- config eval: $main::Grpc
--- must_die
--- error_log
"dfpreheat_peers_allow" directive is duplicate



=== TEST 43: dfpreheat_unreachable_peers 101%
--- http_config eval: main::directives('dfpreheat_unreachable_peers 101%;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_unreachable_peers: "101%" must be a number of peers, or per cent from 0% to 100%



=== TEST 44: dfpreheat_unreachable_peers x
--- http_config eval: main::directives('dfpreheat_unreachable_peers x;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_unreachable_peers: "x" must be a number of peers, or per cent from 0% to 100%



=== TEST 45: dfpreheat_unreachable_peers -1
--- http_config eval: main::directives('dfpreheat_unreachable_peers -1;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_unreachable_peers: "-1" must be a number of peers, or per cent from 0% to 100%



=== TEST 46: dfpreheat_unreachable_peers 1.5%
--- http_config eval: main::directives('dfpreheat_unreachable_peers 1.5%;')
--- config eval: $main::Grpc
--- must_die
--- error_log
dfpreheat_unreachable_peers: "1.5%" must be a number of peers, or per cent from 0% to 100%



=== TEST 47: dfpreheat_unreachable_peers twice
--- http_config eval
main::directives('dfpreheat_unreachable_peers 0;',
                 'dfpreheat_unreachable_peers 5%;')
--- config eval: $main::Grpc
--- must_die
--- error_log
"dfpreheat_unreachable_peers" directive is duplicate



=== TEST 48: dfpreheat_success_threshold 0
--- http_config eval: main::directives('dfpreheat_success_threshold 0;')
--- config eval: $main::Grpc
--- must_die
--- error_log
value must be between 1 and 100



=== TEST 49: dfpreheat_success_threshold 101
--- http_config eval: main::directives('dfpreheat_success_threshold 101;')
--- config eval: $main::Grpc
--- must_die
--- error_log
value must be between 1 and 100



=== TEST 50: dfpreheat_success_threshold in per cent
--- http_config eval: main::directives('dfpreheat_success_threshold 50%;')
--- config eval: $main::Grpc
--- must_die
--- error_log
invalid number



=== TEST 51: dfpreheat_success_threshold twice
--- http_config eval
main::directives('dfpreheat_success_threshold 50;',
                 'dfpreheat_success_threshold 60;')
--- config eval: $main::Grpc
--- must_die
--- error_log
"dfpreheat_success_threshold" directive is duplicate



=== TEST 52: a certificate file that there is not
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/nowhere.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/nowhere.pem" could not be opened \(2: No such file or directory\)}



=== TEST 53: a certificate file of something else
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/none.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/none.pem" must have PEM certificates, and what is in it is none}



=== TEST 54: a certificate file that is empty
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/empty.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/empty.pem" must have PEM certificates, and what is in it is none}



=== TEST 55: a certificate file that is broken off
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/broken.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/broken.pem" must have PEM certificates, and what is in it is broken}



=== TEST 56: a certificate file with one that is none
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/wrong.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/wrong.pem" must have PEM certificates, and what is in it is broken}



=== TEST 57: a certificate file with too many of them
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_PEM_DIR/many.pem;')
--- config eval: $main::Grpc
--- must_die
--- error_log eval
qr{dfpreheat_certificate_chain: "\S+/many.pem" has more than \d+ certificates}



=== TEST 58: dfpreheat_certificate_chain twice
--- http_config eval
main::directives('dfpreheat_certificate_chain $TEST_NGINX_CA;',
                 'dfpreheat_certificate_chain $TEST_NGINX_CA;')
--- config eval: $main::Grpc
--- must_die
--- error_log
"dfpreheat_certificate_chain" directive is duplicate
