# What the suites in Test::Nginx::Socket's format share: a private Redis, a
# configuration that makes use of it, tokens, and a look into what is stored.
#
#     use Test::Nginx::Socket 'no_plan';
#     use DFP;
#
# Every block begins with a Redis that holds nothing but the tokens below. A
# block without a section gets one from here:
#
#     http_config     Redis, keys and the cluster 1
#     config          the locations of the Open API
#     more_headers    a token with the scope "job"
#
# A block may have a section "redis", which is looked at after its last answer:
# in each line a command of redis-cli, " = ", and what it is to reply. And
# severe lines in error.log fail it, see DFP::Log.

package DFP;

use strict;
use warnings;

use Cwd qw( abs_path );
use Digest::SHA qw( sha256_hex );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Temp ();
use JSON::PP ();
use Test::More ();
use Test::Nginx::Util ();

use DFP::Client;
use DFP::Facts;
use DFP::Log;
use DFP::Process qw( wait_until );
use DFP::Redis;

our @EXPORT = qw( admin api bearer client ended_job errors http message part
                  posting redis refusal shape stored );

use constant {
    ADMIN_KEY    => 'the-admin-key-of-the-tests',
    SEAL_KEY     => '0123456789abcdef' x 4,
    SCOPE_JOB    => 1,                   # as stored
    SCOPES_OTHER => 6,
    FAR_FUTURE   => 2_000_000_000_000,   # ms
    JOB_SECONDS  => 10,                  # for a job to end
};

# Their secrets are their names.
my %tokens = (
    'token-with-scope-job'     => {},
    'token-with-other-scopes'  => { scopes => SCOPES_OTHER },
    'token-that-has-expired'   => { expired_at => 1 },
    'token-that-is-inactive'   => { state => 'inactive' },
);

my %any = (
    TIME => '"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"',
    UUID => '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-'
            . '[0-9a-f]{12}',
    SECRET => '[\w-]{43}',
    TEXT => '[^"]*',
    USER => quotemeta '{"id":0,"created_at":"0001-01-01T00:00:00Z",'
                      . '"updated_at":"0001-01-01T00:00:00Z","is_del":0,'
                      . '"email":"","name":"","avatar":"","phone":"",'
                      . '"state":"","location":"","bio":"","configs":null}',
);

my $json = JSON::PP->new->canonical->allow_nonref;
my $keys = File::Temp->newdir('dfpreheat-keys-XXXXXXXX', TMPDIR => 1);
my $redis;

_write_key('seal', SEAL_KEY);
_write_key('admin', ADMIN_KEY);

# for the sections, which replace these
$ENV{TEST_NGINX_SEAL_KEY} = "$keys/seal";
$ENV{TEST_NGINX_ADMIN_KEY} = "$keys/admin";
$ENV{TEST_NGINX_CONF_DIR} = abs_path(dirname(__FILE__) . '/../../conf');

# not where a suite is only compiled (perl -c): nothing would stop it

INIT {
    $redis = DFP::Redis->start;
    $ENV{TEST_NGINX_REDIS_PORT} = $redis->port;
}


Test::Nginx::Util::add_block_preprocessor(sub {
    my $block = shift;

    _empty_redis();

    my %default = (http_config => http(), config => api(),
                   more_headers => bearer('token-with-scope-job'));

    for my $section (keys %default) {
        $block->set_value($section, $default{$section})
            if !defined $block->$section;
    }
});


Test::Nginx::Util::add_test_cleanup_handler(sub {
    my $block = shift;

    for my $line (split /\n+/, $block->redis // '') {
        my ($command, $reply) = $line =~ /^(.*\S) =(?: (.*))?$/
            or Test::Nginx::Util::bail_out($block->name, " - redis: $line");

        Test::More::is($redis->commands($command), $reply // '',
                       $block->name . " - $command");
    }
});


# A command's reply, and all that there is.

sub redis { $redis->command(@_) }
sub stored { $redis->everything }


# Sections of http_config and config, with more lines at their ends.

sub http
{
    return <<'END' . join '', @_;
    dfpreheat_redis      127.0.0.1:$TEST_NGINX_REDIS_PORT;
    dfpreheat_key        $TEST_NGINX_SEAL_KEY;
    dfpreheat_admin_key  $TEST_NGINX_ADMIN_KEY;
    dfpreheat_cluster    1 name=cluster-1 engine=cache;
END
}


sub api
{
    return <<'END' . join '', @_;
    location /oapi/ { dfpreheat on; }
    location = /healthy { dfpreheat on; }
    location /api/v1/personal-access-tokens { dfpreheat on; }
END
}


# A header; the second is for creating tokens.

sub bearer { "Authorization: Bearer $_[0]" }
sub admin { bearer(ADMIN_KEY) }


# The request of a job, or of another object. What is no reference is JSON
# already.

sub posting
{
    my ($value, $path) = @_;

    return 'POST ' . ($path // '/oapi/v1/jobs') . "\n"
           . (ref $value ? $json->encode($value) : $value);
}


# The two shapes of a refusal, with texts that clients know; and a pattern for one of
# them ("errors" or "message") whose text has these facts.

sub errors { $json->encode({ errors => $_[0] }) }
sub message { $json->encode({ message => $_[0] }) }

sub refusal
{
    my ($key, @facts) = @_;

    return qr/\A${\ facts(@facts) }\{"$key":"(?:[^"\\]|\\.)*"\}\z/;
}


# A pattern for a whole answer, and for a part of one. In the text, TIME, UUID and
# SECRET stand for any, USER for the user that nobody has, TEXT for any text.

sub shape { return qr/\A${\ part($_[0]) }\z/ }

sub part
{
    my $pattern = quotemeta shift;

    $pattern =~ s/(TIME|UUID|USER|SECRET|TEXT)/$any{$1}/g;

    return qr/$pattern/;
}


# For "init": a client with a token, and a job that is posted and has ended;
# its answer.

sub client
{
    my $token = shift;

    return DFP::Client->new(port => Test::Nginx::Util::server_port(),
                            token => $token // 'token-with-scope-job');
}


sub ended_job
{
    my $value = shift;

    my $client = client();
    my $id = $client->post('/oapi/v1/jobs', $value)->{json}{id}
        or die 'the job is not accepted';

    my $answer;

    wait_until(JOB_SECONDS, sub {
        $answer = $client->get("/oapi/v1/jobs/$id");
        $answer->{json}{state} ne 'PENDING';
    }) or die 'the job does not end';

    return $answer;
}


sub _write_key
{
    my ($name, $text) = @_;

    open my $file, '>', "$keys/$name" or die "$keys/$name: $!";
    chmod 0600, $file;
    print {$file} "$text\n";
    close $file or die "$keys/$name: $!";
}


# The tokens lie there as the module itself would put them.

sub _empty_redis
{
    my @commands = ('flushall');
    my $id = 100;

    for my $secret (sort keys %tokens) {
        my %token = (hash => sha256_hex($secret), name => $secret, bio => '""',
                     scopes => SCOPE_JOB, expired_at => FAR_FUTURE, user_id => 0,
                     state => 'active', created => 1, %{ $tokens{$secret} });

        push @commands, "set dfpreheat:token:hash:$token{hash} $id",
                        join ' ', "hset dfpreheat:token:$id", %token;
        $id++;
    }

    $redis->commands(@commands);
}

1;
