# What nginx accepts in its configuration and what it refuses, as a table:
# t/config/*.txt. A row is
#
#     === a port that is too large
#     http: dfpreheat_redis 127.0.0.1:65536;
#     refused: dfpreheat_redis | port | 127.0.0.1:65536
#
# that is, a name, lines of nginx.conf, and what is expected:
#
#     main, http, server     lines of that level. They are added to those below,
#                            of which a row's own directives replace the same.
#     without                a directive that is not there at all
#     file NAME              content of $DIR/NAME
#     public file NAME       the same, readable by all users
#     accepted               nginx starts and answers, and logs no error and no
#                            warning, except:
#     warns                  facts of a warning
#     refused                facts of the reason why nginx does not start
#
# A value continues in indented lines below its name. The facts, with " | "
# between them, are parts of the message (see DFP::Facts). $DIR is the folder of
# the files, $CONF is conf/, and $REDIS is the port of a Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Basename qw( basename );
use File::Temp qw( tempdir );
use HTTP::Tiny;
use Test::More;

use DFP::Certificates;
use DFP::Facts;
use DFP::Process qw( free_port gone spawn stop wait_until );
use DFP::Redis;

use constant {
    SECONDS  => 10,                             # for nginx to start, or end
    SECRET   => qr/secret@|hunter2|YWxpY2U6/,   # of the rows, never logged
    MAX_CERTIFICATES => 64,
};

my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES}
              || "$FindBin::Bin/../build/ngx_http_dfpreheat_module.so";

my $redis = DFP::Redis->start;
my $ca = DFP::Certificates->new;
my $dir = tempdir('dfpreheat-config-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

my %value = (DIR => $dir, CONF => "$FindBin::Bin/../conf",
             REDIS => $redis->port);

# What a row does not say by itself: level, directive, line.

my @base = (
    [ http => dfpreheat_redis => 'dfpreheat_redis 127.0.0.1:$REDIS;' ],
    [ http => dfpreheat_key => 'dfpreheat_key $DIR/seal.key;' ],
    [ http => dfpreheat_admin_key => 'dfpreheat_admin_key $DIR/admin.key;' ],
    [ http => dfpreheat_cluster =>
          'dfpreheat_cluster 1 name=cluster-1 engine=cache;' ],
    [ server => dfpreheat => 'location /oapi/ { dfpreheat on; }' ],
    [ server => dfpreheat => 'location = /healthy { dfpreheat on; }' ],
    [ server => dfpreheat_grpc => 'location @dfpreheat_grpc '
          . '{ include $CONF/dfpreheat_grpc.conf; }' ],
);


my $pem = content($ca->file);

write_file('seal.key', '0123456789abcdef' x 4 . "\n");
write_file('admin.key', "the-admin-key-of-the-tests\n");
write_file('credentials.json',
           '{"auths": {"registry.lan": {"auth": "YTpi"}}}');
write_file('large', 'x' x 4096);
write_file('ca.pem', $pem);
write_file('truncated.pem', $pem . substr $pem, 0, length($pem) / 2);
write_file('invalid.pem', $pem . $pem =~ s/\n..../\n=!=!/r);
write_file('none.pem', "not a certificate\n");
write_file('empty.pem', '');
write_file('many.pem', $pem x (MAX_CERTIFICATES + 1));

for my $file (sort glob "$FindBin::Bin/config/*.txt") {
    my $group = basename($file, '.txt');

    check("$group: $_->{name}", $_) for rows($file);
}

done_testing();


sub content
{
    my $path = shift;

    open my $file, '<', $path or die "$path: $!";
    local $/;

    return <$file> // '';
}


sub write_file
{
    my ($name, $content, $mode) = @_;

    my $path = "$dir/$name";

    unlink $path;
    open my $file, '>', $path or die "$path: $!";
    chmod $mode // 0600, $path or die "$path: $!";
    print {$file} $content;
    close $file or die "$path: $!";
}


# The rows of a file: hashes, in which a section of files has one of its own.

sub rows
{
    my $path = shift;

    my (@rows, $value);

    for my $line (split /\n/, content($path)) {
        if ($line =~ /^=== (.+)$/) {
            push @rows, { name => $1, files => {}, public => {}, warns => [] };

        } elsif ($line =~ /^(public )?file (\S+):(?: (.*))?$/) {
            $value = \$rows[-1]{ $1 ? 'public' : 'files' }{$2};
            $$value = ($3 // '') . "\n";

        } elsif ($line =~ /^warns: (.+)$/) {
            push @{ $rows[-1]{warns} }, $1;
            $value = \$rows[-1]{warns}[-1];
            $$value .= "\n";

        } elsif ($line =~ /^(main|http|server|without|refused):(?: (.*))?$/) {
            $value = \$rows[-1]{$1};
            $$value = ($2 // '') . "\n";

        } elsif ($line =~ /^    ? *\S/) {
            $$value .= "$line\n";

        } elsif ($line eq 'accepted') {
            $rows[-1]{accepted} = 1;

        } elsif ($line !~ /^(?:#|$)/) {
            die "$path: $line";
        }
    }

    for my $row (@rows) {
        die "$path: $row->{name} expects nothing, or both"
            if !$row->{accepted} == !$row->{refused};
    }

    return @rows;
}


sub check
{
    my ($name, $row) = @_;

    write_file($_, $row->{files}{$_}) for keys %{ $row->{files} };
    write_file($_, $row->{public}{$_}, 0644) for keys %{ $row->{public} };
    unlink "$dir/error.log";
    $redis->command('flushall');    # each is the only nginx

    my $ok = $row->{accepted} ? accepted($name, $row) : refused($name, $row);
    my $log = content("$dir/error.log");

    unlike($log, SECRET, "$name: no secret is logged");
    diag($log) if !$ok;
}


sub refused
{
    my ($name, $row) = @_;

    write_file('nginx.conf', configuration($row, free_port()));

    my $pid = start('-t');

    my $status = wait_until(SECONDS, sub { gone($pid) }) ? $? >> 8 : 'none';
    my @reason = map { logged($_) } qw( error emerg );

    stop($pid) if $status eq 'none';

    return ok($status eq '1' && "@reason" =~ of_row($row->{refused}), $name);
}


sub accepted
{
    my ($name, $row) = @_;

    my $port = free_port();

    write_file('nginx.conf', configuration($row, $port));

    my $pid = start();
    my $answer = wait_until(SECONDS, sub {
        return 'nginx has ended' if gone($pid);

        my $got = HTTP::Tiny->new->get("http://127.0.0.1:$port/healthy");
        return $got->{status} == 599 ? undef : $got->{content};
    });

    stop($pid, 'QUIT');

    my @warnings = grep { my $line = $_;
                          !grep { $line =~ of_row($_) } @{ $row->{warns} } }
                   logged('warn');
    my @missing = grep { my $pattern = of_row($_);
                         !grep { /$pattern/ } logged('warn') }
                  @{ $row->{warns} };
    my @others = map { logged($_) } qw( error crit alert emerg );

    return is_deeply([ $answer, @warnings, @missing, @others ], [ '"OK"' ],
                     $name);
}


sub start
{
    my @arguments = @_;

    return spawn("$dir/nginx.out", $nginx, '-e', "$dir/error.log",
                 '-c', "$dir/nginx.conf", @arguments);
}


# The messages of a level, without the file and the line at their ends.

sub logged
{
    my $level = shift;

    return map { s/ in \S+:\d+$//r }
           map { / \[$level\] (?:[\d#]+: )?(.*)/ ? $1 : () }
           split /\n/, content("$dir/error.log");
}


sub of_row { return facts(expanded($_[0])) }


sub expanded
{
    my $text = shift;

    return $text =~ s/\$(DIR|CONF|REDIS)\b/$value{$1}/gr;
}


sub configuration
{
    my ($row, $port) = @_;

    my %lines = map { $_ => $row->{$_} // '' } qw( main http server without );
    my $own = join "\n", values %lines;

    # a directive, and not one in a value or of a longer name

    for my $line (@base) {
        my ($level, $directive, $text) = @$line;
        next if ($directive ne 'dfpreheat' || $lines{without} =~ /\bdfpreheat\b/)
                && $own =~ /(?:^|[{;\s])\Q$directive\E(?:\.conf)?[\s;]/m;

        $lines{$level} .= "$text\n";
    }

    my $load = join '', map { "load_module $_;\n" } @modules;

    return $load . expanded(<<"CONF");
daemon off;
master_process off;
pid \$DIR/nginx.pid;
error_log \$DIR/error.log info;
$lines{main}

events { worker_connections 64; }

http {
    access_log off;
    client_body_temp_path \$DIR/body;
    proxy_temp_path \$DIR/proxy;
    fastcgi_temp_path \$DIR/fastcgi;
    uwsgi_temp_path \$DIR/uwsgi;
    scgi_temp_path \$DIR/scgi;

    $lines{http}

    server {
        listen 127.0.0.1:$port;
        $lines{server}
    }
}
CONF
}
