# The rules of the source tree that a compiler does not see.
#
# Each rule is one test, which prints every place that breaks it.

use strict;
use warnings;

use File::Find;
use Test::More;

use constant MAX_FILE_LINES     => 650;
use constant MAX_FUNCTION_LINES => 70;

# The layers of the module, from the bottom to the top. A file includes files
# of its own layer and of those before it. "*" stands for any word.

my @layers = (
    [qw( types )],
    [qw( conn setup redis subscription )],
    [qw( store reply )],
    [qw( context origin sent target target_* credentials secrets )],
    [qw( request cache cache_key fill overtaken manifest revalidate digest call
         call_* answer answer_* grpc expired storable login valid length )],
    [qw( task task_* trouble grant grant_* image image_* )],
    [qw( dragonfly dragonfly_* )],
    [qw( engine engine_* )],
    [qw( run run_* runner )],
    [qw( auth access access_* )],
    [qw( api body jobs print tokens )],
    [qw( conf conf_* )],
    [qw( module )],
);

# What the plain C of dfp_* may use: no nginx, no Redis, no sockets, no files.
# arpa/inet.h is there for inet_pton(), which only parses; stdio.h for
# snprintf().

my %plain_headers = map { $_ => 1 } qw(
    arpa/inet.h ctype.h errno.h inttypes.h limits.h stdarg.h stddef.h stdint.h
    stdio.h stdlib.h string.h strings.h time.h
    jansson.h openssl/crypto.h openssl/err.h openssl/evp.h openssl/rand.h
    openssl/sha.h protobuf-c/protobuf-c.h
    dfdaemon.pb-c.h scheduler.pb-c.h
);

my $input_output = qr/
    \b ( f?open | fopen | fread | fwrite | fprintf | printf | puts | perror
       | read | write | socket | connect | getaddrinfo | gethostbyname
       | getenv | system | popen | time | gettimeofday | clock_gettime
       | malloc | calloc | realloc ) \s* \(
/x;


my %lines;      # file => its lines

find({
    no_chdir => 1,
    wanted   => sub {
        if (-d && m{^\./(?:build|\.git|t/servroot\w*|t/fuzz/corpus)$}) {
            $File::Find::prune = 1;
            return;
        }

        return if !-f || !-T;

        open my $fh, '<', $_ or die "$_: $!";
        chomp(my @content = <$fh>);
        $lines{s{^\./}{}r} = \@content;
    },
}, '.');

my @c_files   = grep { /\.[ch]$/ } sort keys %lines;
my @dfp_files = grep { m{^src/dfp_\w+\.[ch]$} } @c_files;


rule('every file of the module has a layer',
     map { defined layer_of(name_of($_)) ? () : $_ }
     grep { defined name_of($_) } @c_files);

rule('a file includes nothing of a layer above its own',
     map { broken_includes($_) } grep { defined name_of($_) } @c_files);

rule('plain C includes plain C and what does no input or output',
     map { foreign_includes($_) } @dfp_files);

rule('plain C does no input or output, and allocates from its caller',
     map { matching($_, $input_output) } grep { /\.c$/ } @dfp_files);

rule('plain C has no variables outside of functions',
     map { matching($_, qr/^static (?!const\b)[^(]*[;=]/) } @dfp_files);

rule('a C file has at most ' . MAX_FILE_LINES . ' lines',
     map { @{ $lines{$_} } > MAX_FILE_LINES
               ? "$_: " . @{ $lines{$_} } . ' lines' : () } @c_files);

rule('a function has at most ' . MAX_FUNCTION_LINES . ' lines',
     map { long_functions($_) } @c_files);

rule('nothing is left to be done later',
     map { matching($_, qr/\b(?:TO[D]O|FIX[M]E|X[X]X|HAC[K])\b(?!: \{)/) }
     sort keys %lines);

rule('no file names a folder of one machine',
     map { matching($_, qr{(?<![\w.*\$\}@])/(?:wor[k]|tm[p]|roo[t]|hom[e])/\w}) }
     sort keys %lines);

done_testing();


sub rule
{
    my ($name, @broken) = @_;

    ok(!@broken, $name) or diag(map { "  $_\n" } @broken);
}


# types, of src/ngx_http_dfpreheat_types.h; undef for all other files

sub name_of
{
    my $file = shift;

    return $file =~ m{^(?:src/)?ngx_http_dfpreheat_(\w+)\.[ch]$} ? $1 : undef;
}


sub layer_of
{
    my $name = shift;

    for my $i (0 .. $#layers) {
        for my $entry (@{ $layers[$i] }) {
            my $pattern = quotemeta($entry) =~ s/\\\*/\\w+/r;

            return $i if $name =~ /^$pattern$/;
        }
    }

    return undef;
}


sub includes_of
{
    my $file = shift;

    return map { /^\s*#\s*include\s*[<"]([^>"]+)[>"]/ ? $1 : () }
           @{ $lines{$file} };
}


sub broken_includes
{
    my $file = shift;
    my $own = layer_of(name_of($file));

    return if !defined $own;

    return map { "$file includes $_" }
           grep {
               my $name = name_of($_);

               # the scripts' header is made by the build and includes nothing

               defined $name && $name ne 'lua'
                   && !(defined layer_of($name) && layer_of($name) <= $own);
           } includes_of($file);
}


sub foreign_includes
{
    my $file = shift;

    return map { "$file includes $_" }
           grep { !/^dfp_\w+\.h$/ && !$plain_headers{$_} } includes_of($file);
}


sub matching
{
    my ($file, $pattern) = @_;
    my $number = 0;

    return map { $number++; /$pattern/ ? "$file:$number: $_" : () }
           @{ $lines{$file} };
}


# In this style a function begins and ends with a brace in the first column.

sub long_functions
{
    my $file = shift;
    my ($start, @long);

    for my $i (0 .. $#{ $lines{$file} }) {
        my $line = $lines{$file}[$i];

        if ($line eq '{') {
            $start = $i;

        } elsif ($line eq '}' && defined $start) {
            my $length = $i - $start + 1;

            push @long, "$file:$start: $length lines"
                if $length > MAX_FUNCTION_LINES;
            undef $start;
        }
    }

    return @long;
}
