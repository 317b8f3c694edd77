# A private Redis, without anything on disk that outlives it.

package DFP::Redis;

use strict;
use warnings;

use File::Temp ();
use IPC::Open2 qw( open2 );

use DFP::Process qw( spawn gone stop wait_until free_port );

use constant {
    START_TRIES   => 5,
    START_SECONDS => 10,
};


# The command that replies with all that is stored, as values and as it would be
# dumped.

our @Everything = ('eval', <<'END', 0);
local get = { hash = 'hgetall', string = 'get' }
local all = {}

for _, key in ipairs(redis.call('keys', '*')) do
    local kind = redis.call('type', key).ok
    all[#all + 1] = key
    all[#all + 1] = redis.call('dump', key)
    all[#all + 1] = kind == 'zset' and redis.call('zrange', key, 0, -1)
                    or redis.call(get[kind], key)
end

return all
END


sub start
{
    my $class = shift;

    my $dir = File::Temp->newdir('dfpreheat-redis-XXXXXXXX', TMPDIR => 1);

    for (1 .. START_TRIES) {
        my $self = bless { dir => $dir, port => free_port() }, $class;

        my $pid = spawn("$dir/out", 'redis-server', '--bind', '127.0.0.1',
                        '--port', $self->{port}, '--dir', "$dir",
                        '--save', '', '--appendonly', 'no',
                        '--maxmemory-policy', 'noeviction');

        my $started = wait_until(START_SECONDS, sub {
            gone($pid) || $self->command('info', 'server')
                          =~ /^process_id:$pid\b/m;
        });

        return $self if $started && !gone($pid);

        stop($pid);
    }

    die 'redis does not start';
}


sub port { $_[0]{port} }


# The reply of a command, as redis-cli prints it.

sub command
{
    my ($self, @command) = @_;

    my $line = join ' ', map { '"' . s/(["\\])/\\$1/gr . '"' } @command;

    return $self->commands($line =~ s/\n/\\n/gr);
}


# The same of several commands, one a line.

sub commands
{
    my ($self, @lines) = @_;

    my $pid = open2(my $out, my $in, 'sh', '-c',
                    'exec redis-cli -p "$0" 2>/dev/null', $self->{port});

    print {$in} map { "$_\n" } @lines;
    close $in;

    local $/;
    my $reply = <$out> // '';
    waitpid $pid, 0;

    $reply =~ s/\r//g;
    $reply =~ s/\n+\z//;

    return $reply;
}


# All that is stored, to look for what must not be.

sub everything
{
    my $self = shift;

    return $self->command(@Everything);
}

1;
