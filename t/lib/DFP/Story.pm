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

package DFP::Story;

use strict;
use warnings;

use Exporter qw( import );
use Test::More;

use DFP::Servers;

our @EXPORT_OK = qw( story );

use constant {
    STORY_SECONDS => 110,   # one that takes longer hangs
    LOG_TAIL      => 40,    # lines shown when a story fails
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

1;
