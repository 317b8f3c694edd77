# Sections for suites with jobs of files: an origin, and the location that
# clients pull through.
#
#     --- http_config eval: main::caching()
#     --- config eval: main::front()
#
# The origin of http://files.test is a server of the same nginx, where each
# file tells its name, and /none is 404.

package DFP::Front;

use strict;
use warnings;

use Exporter qw( import );
use IO::Socket::INET;

use DFP;

our @EXPORT = qw( caching front stalling_front );

# it takes requests, and nobody answers them
my $stalled = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
    or die "no port: $!";


sub caching
{
    return http(<<'END');
    dfpreheat_instance edge-1 address=192.0.2.1;
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=files:1m inactive=1d;

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        location / { return 200 "what is in $uri"; }
        location /none { return 404; }
    }
END
}


sub front
{
    my $port = shift // '$TEST_NGINX_RAND_PORT_1';

    # when nginx stops it ends what is in flight, so that must not take long

    return api(<<"END");
    location / {
        dfpreheat_origin http://files.test;
        proxy_pass http://127.0.0.1:$port;
        proxy_read_timeout 500ms;
        proxy_cache files;
        include \$TEST_NGINX_CONF_DIR/dfpreheat_cache.conf;
    }
END
}


sub stalling_front { return front($stalled->sockport) }

1;
