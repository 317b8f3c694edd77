# docs/openapi.yaml in the hands of tests; t/contract/contract.py reads it, with
# the Python of build/venv.

package DFP::Contract;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use IPC::Open2 qw( open2 );
use JSON::PP qw( decode_json encode_json );

our @EXPORT_OK = qw( document undescribed schemathesis );

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $bin = "$top/build/venv/bin";


# It as data.

sub document { decode_json(_contract('json')) }


# As JSON text; in an answer no members are allowed that it does not have.

sub closed_document { _contract('closed') }


# What it does not say of these exchanges and events, one a line; contract.py says
# what they have.

sub undescribed { _contract('check', encode_json(\@_)) }


sub _contract
{
    my ($command, $input) = @_;

    die "$bin/python is missing: run make build/venv/made\n"
        if !-x "$bin/python";

    my $pid = open2(my $out, my $in, "$bin/python",
                    "$top/t/contract/contract.py", $command);

    print {$in} $input if defined $input;
    close $in;

    my $text = do { local $/; <$out> };

    waitpid $pid, 0;
    die "contract.py $command has failed\n" if $?;

    return $text // '';
}


# Requests that schemathesis makes of the closed document, to a port, with this
# token; more options are its own. It works in this folder. Whether all answers were
# as they should be, and what it says.

sub schemathesis
{
    my ($folder, $port, $token, @options) = @_;

    open my $document, '>', "$folder/openapi.json" or die "openapi.json: $!";
    print {$document} closed_document();
    close $document or die "openapi.json: $!";

    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        chdir $folder or die "$folder: $!";
        exec "$bin/st", '--config-file', "$top/t/contract/schemathesis.toml",
             'run', 'openapi.json', '--url', "http://127.0.0.1:$port", '--no-color',
             '-H', "Authorization: Bearer $token", @options;
        die "$bin/st: $!";
    }

    my $text = do { local $/; <$out> };

    close $out;

    # bodies may have megabytes

    return ($? == 0, $text =~ s/^(\N{2000})\N*/$1/gmr);
}

1;
