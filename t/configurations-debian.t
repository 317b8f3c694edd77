# Other modules, of Debian's packages, in Debian's nginx: Lua, and headers-more.
# A job is a SUCCESS, and clients get all from the cache.
#
# Under the sanitizers (make asan-test), which these modules do not load into,
# this nginx is run by valgrind, as one process.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use DFP::Configurations;

use constant {
    NGINX   => '/usr/sbin/nginx',
    MODULES => '/usr/lib/nginx/modules',
};

my $own = "$FindBin::Bin/../build/ngx_http_dfpreheat_module.so";
my @names = qw( ndk_http_module ngx_http_lua_module
                ngx_http_headers_more_filter_module );
my @files = map { MODULES . "/$_.so" } @names;

plan skip_all => 'libnginx-mod-http-lua, libnginx-mod-http-headers-more-filter '
                 . 'and the module for Debian\'s nginx are needed'
    if grep { !-f } @files, $own;

my @valgrind = $ENV{DFPREHEAT_VALGRIND}
    ? (workers => 0, command => [ 'valgrind', '-q', NGINX ])
    : (command => [NGINX]);


sub debian
{
    my ($name, %story) = @_;

    configuration $name, modules => [ @files, $own ], @valgrind, %story,
        then => sub
    {
        my $warm = shift;

        # valgrind says at once what it has found, and nginx nothing

        is($warm->{servers}->_read('nginx.out'), '', 'no error of memory');
    };
}


debian 'Lua in each phase', http => <<'END', lines => <<'END2';
    lua_shared_dict seen 64k;
    init_worker_by_lua_block { ngx.timer.at(0, function() end) }
END
    set_by_lua_block $lua { return ngx.var.uri }
    rewrite_by_lua_block {
        ngx.sleep(0.01)
        ngx.req.set_header("X-Lua", "rewrite")
        ngx.ctx.seen = true
    }
    access_by_lua_block { ngx.shared.seen:incr(ngx.var.uri, 1, 0) }
    header_filter_by_lua_block { ngx.header["X-Lua"] = ngx.var.lua }
    body_filter_by_lua_block { ngx.ctx.bytes = #(ngx.arg[1] or "") }
    log_by_lua_block { ngx.shared.seen:incr("log", 1, 0) }
END2

debian 'Lua that refuses before access', lines =>
    'rewrite_by_lua_block { ngx.exit(403) }',
    fails => qr/location answered 403/;

debian 'Lua that asks others first',
    server => 'location = /other { return 200 "other"; }',
    lines => 'rewrite_by_lua_block { ngx.location.capture("/other") }';

debian 'Lua that chooses the peer', pass => 'http://lua', http => <<"END";
    upstream lua {
        server 0.0.0.1;
        balancer_by_lua_block {
            require("ngx.balancer").set_current_peer("127.0.0.1",
                                                     ${\ upstream()->port })
        }
        keepalive 4;
    }
END

debian 'headers-more', lines => <<'END';
    more_set_headers "Server: other" "Content-Type: text/other";
    more_clear_headers Date "X-*-Header";
    more_set_input_headers "User-Agent: other" "X-More: more";
    more_clear_input_headers Referer;
END

done_testing();
