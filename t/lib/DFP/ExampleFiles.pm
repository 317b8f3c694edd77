# A file of conf/examples that is included in http, with what is of one machine
# replaced:
#
#     my $example = example('s3-files.conf', { '443 ssl' => "127.0.0.1:$port ssl" });
#     story ..., { http => $example, ... }, sub { ... };
#
# Each text has to be there. The names of conf/ are those of DFP::Servers.

package DFP::ExampleFiles;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );

our @EXPORT = qw( example served_by );

my $folder = abs_path(dirname(__FILE__) . '/../../../conf/examples');


sub example
{
    my ($name, $replaced) = @_;

    open my $file, '<', "$folder/$name" or die "$name: $!";
    my $text = do { local $/; <$file> };

    $text =~ s/^\s*#.*\n//mg;

    for my $from (sort { length $b <=> length $a } keys %$replaced) {
        $text =~ s/\Q$from\E/$replaced->{$from}/g
            or die "$name does not have $from\n";
    }

    $text =~ s/\bdfpreheat_(\w+\.conf;)/$1/g;

    return $text;
}


# The host of a proxy_pass is served at this port. With a zone, sessions of TLS are in
# shared memory, and sanitizers do not take them for leaks.

sub served_by
{
    my ($host, $port) = @_;

    return "upstream $host { zone $host 64k; server 127.0.0.1:$port; }\n";
}

1;
