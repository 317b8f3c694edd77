# A test that is told as a story, with servers of its own:
#
#     use DFP::Story qw( story );
#
#     story 'what a user would see', { lease => '1s' }, sub {
#         my $servers = shift;
#         ...
#     };
#
# It is a subtest, which ends with a look into nginx's error log: no line of
# level alert, crit or emerg, but those that $servers->expects() has named.
# The options are those of DFP::Servers, and seconds, for a story that takes long.
#
# One in which half a minute passes is told while others are:
#
#     my $told = meanwhile(sub { story ... });
#     ...
#     $told->();

package DFP::Story;

use strict;
use warnings;

use Exporter qw( import );
use File::Temp ();
use Test::More;

use DFP::Process qw( gone independent run_child wait_until );
use DFP::Servers;

our @EXPORT_OK = qw( meanwhile story );

use constant {
    STORY_SECONDS => 110,   # one that takes longer hangs
    LOG_TAIL      => 40,    # lines shown when a story fails
    TOLD_SECONDS  => 120,   # until those end that are told meanwhile
};


sub story
{
    my ($name, $options, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    subtest $name => sub {
        local $SIG{ALRM} = sub { die "the story takes too long\n" };
        alarm($options->{seconds} // STORY_SECONDS);

        my $servers = DFP::Servers->new(%$options);

        my $told = eval {
            $servers->start;
            $code->($servers);
            1;
        };

        ok($told, 'the story was told to its end') or diag($@);
        alarm 0;

        ok(eval { $servers->stop_all; 1 }, 'and its servers were stopped')
            or diag($@);

        is_deeply([ $servers->severe ], [],
                  'no alert, crit or emerg was logged, but what was expected');

        if (!Test::More->builder->is_passing) {
            diag(join "\n", 'the end of error.log:',
                            $servers->log_tail(LOG_TAIL));
        }
    };
}

# Tells stories in a process of its own. The function that it returns waits for its
# end, and tells how they have ended, as one test.

sub meanwhile
{
    my $code = shift;

    my $file = File::Temp->new;
    my $pid = run_child(sub { exit(_aside($file->filename, $code) ? 0 : 1) });

    return sub {
        local $Test::Builder::Level = $Test::Builder::Level + 1;

        my $status = 'no end';

        wait_until(TOLD_SECONDS, sub {
            return if !gone($pid);
            $status = $?;
            return 1;
        });

        local $/;
        my $text = <$file> // '';

        ok($status eq '0', 'what was told meanwhile') or diag("$status\n$text");
        note($text);
    };
}


sub _aside
{
    my ($file, $code) = @_;

    open STDOUT, '>', $file or die "$file: $!";
    open STDERR, '>&', \*STDOUT or die "$file: $!";

    my $builder = Test::More->builder;

    $builder->reset;
    $builder->$_(\*STDOUT) for qw( output failure_output todo_output );

    my $done = independent($code);
    done_testing();

    return $done && $builder->is_passing;
}

1;
