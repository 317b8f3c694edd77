# The rules of the source tree that a compiler does not see.
#
# Each rule is one test, which prints every place that breaks it.

use strict;
use warnings;

use File::Basename qw( basename dirname );
use File::Find;
use List::Util qw( min );
use Test::More;

use constant MAX_FILE_LINES     => 650;
use constant MAX_FUNCTION_LINES => 70;

# The folders of src/, and which of the others each may include or call. What is
# below src/lib is plain C; docs/architecture.md says what each folder is for.

my @lib = qw( lib/base lib/oci lib/job lib/d7y );
my @under_hook = (@lib, qw( core redis show route cache call ));
my @under_run = (@lib, qw( core redis route cache call hook ));
my @under_engine = (@under_run, qw( run ));

my %may = (
    'lib/base'         => [],
    'lib/oci'          => [qw( lib/base )],
    'lib/job'          => [qw( lib/base lib/oci )],
    'lib/d7y'          => [qw( lib/base lib/oci lib/job )],
    'core'             => [@lib],
    'redis'            => [@lib, qw( core )],
    'show'             => [@lib, qw( core redis )],
    'route'            => [@lib, qw( core )],
    'cache'            => [@lib, qw( core route )],
    'call'             => [@lib, qw( core route cache )],
    'access'           => [@lib, qw( core route cache )],
    'hook'             => [@under_hook],
    'run'              => [@under_run],
    'engine/dragonfly' => [@under_engine],
    'engine/cache'     => [@under_engine],
    'engine/peers'     => [@under_engine, qw( engine/dragonfly )],
    'engine/scheduler' => [@under_engine, qw( engine/dragonfly )],
    'api'              => [@lib, qw( core redis show route )],
    'conf'             => [@under_engine, qw( access api engine/dragonfly
                           engine/cache engine/peers engine/scheduler )],
);

# What the plain C of dfp_* may use: no nginx, no Redis, no sockets, no files.
# arpa/inet.h is there for inet_pton(), which only parses; stdio.h for
# snprintf().

my %plain_headers = map { $_ => 1 } qw(
    arpa/inet.h ctype.h errno.h inttypes.h limits.h stdarg.h stddef.h stdint.h
    stdio.h stdlib.h string.h strings.h time.h
    jansson.h openssl/crypto.h openssl/err.h openssl/evp.h openssl/hmac.h
    openssl/rand.h
    protobuf-c/protobuf-c.h
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
        return if m{^\./\.git$} && -f;     # of a linked work tree

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
my @module    = grep { m{^src/} } @c_files;
my @console   = grep { m{^console/} } sort keys %lines;
my @dfp_files = grep { m{^src/lib/} } @module;

my %path = map { basename($_) => $_ } @module;      # a header's, by its name
my %words = map { $_ => words_of($_) } @module;
my %owner = map { my $file = $_; map { $_ => $file } defined_in($file) }
            grep { /\.c$/ } @module;                # symbol => its file
my %uses = map { $_ => { included_by($_), called_by($_) } } @module;


# The return codes of nginx, and those of the plain C. They have nothing in common,
# so that the compiler lets the one be compared with the other, which never holds.

my $nginx_code = qr/\b NGX_(?:OK|ERROR|AGAIN|BUSY|DONE|DECLINED|ABORT) \b/x;
my $plain_code = qr/\b DFP_(?:OK|ERROR|INVALID|DECLINED) \b/x;

my %functions = map { $_ => [functions_of($_)] } grep { /\.c$/ } @module;
my %returns = map { map { $_->{name} => $_->{type} } @$_ } values %functions;


rule('every file of src/ is in a folder that has its place',
     grep { !$may{folder_of($_)} } @module);

rule('no two headers have the same name, and no two objects',
     twice(map { basename($_) } grep { /\.h$/ } @module),
     twice(map { basename(dirname($_)) . '/' . basename($_) }
           grep { /\.c$/ } @module));

rule('a file uses only folders below its own',
     map { broken_directions($_) } @module);

rule('no files use one another in a circle, by includes or by calls',
     circles());

rule('return codes of nginx and of the plain C are not mixed',
     map { mixed_codes($_) } sort keys %functions);

rule('JSON is parsed in one place, which knows when memory has ended',
     map { elsewhere($_, qr/\bjson_load(?!_callback_t)\w*\(/,
                     'lib/base/dfp_json_load') } @module);

rule('hashes and hexadecimal digits are made in one place each',
     (map { elsewhere($_, qr/\bEVP_(?:Digest|MD_CTX|sha)|\bngx_(?:sha1|md5)_/,
                      'lib/base/dfp_hash') } @module),
     map { elsewhere($_, qr/"0123456789abcdef"|\bngx_hex_dump\b|%02x/,
                     'lib/base/dfp_hex') } @module);

rule('texts of other programs stand in dfp_texts.h alone',
     map { my $text = qr{^(?! \*|/\*).*"\Q$_\E};
           map { elsewhere($_, $text, 'lib/base/dfp_texts') } @module } texts());

# nginx's headers say which of the system's features there are
rule('a file with nginx includes a header with nginx first',
     grep { m{/ngx_dfp_\w+\.c$} && (includes_of($_))[0] !~ /^ngx_dfp_/ } @module);

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

rule('a file of the console has at most ' . MAX_FILE_LINES . ' lines',
     map { @{ $lines{$_} } > MAX_FILE_LINES
               ? "$_: " . @{ $lines{$_} } . ' lines' : () } @console);

rule('a function of the console has at most ' . MAX_FUNCTION_LINES . ' lines',
     map { long_functions($_) } grep { /\.js$/ } @console);

rule('the console inserts text as text, and runs no text',
     map { matching($_, qr/\b(?:inner|outer)HTML\b|insertAdjacentHTML|setHTML|
                           document\.write|createContextualFragment|DOMParser|
                           srcdoc|\beval\(|\bFunction\(|javascript:/x) }
     @console);

rule('the console keeps keys in no store of the browser',
     map { matching($_, qr/\b(?:local|session)Storage\b|indexedDB|
                           document\.cookie|\bcaches\.|window\.name/x) }
     @console);

rule('the console has no inline code and no inline style, and loads its own files only',
     map({ matching($_, qr{<script(?!\ type="module"\ src="[\w-]+\.js"></script>)|
                           <style\b|\sstyle=|\son\w+=|\s(?:src|href)="(?!\#)[^"]*[:/]
                           }x) }
         grep { /\.html$/ && $_ !~ m{^t/} } @console),
     map({ matching($_, qr{\b(?:from|import)\s*\(?\s*"(?!\./[\w-]+\.js")|url\(|
                           \@import|setAttribute\("style"|importScripts}x) }
         grep { /\.(?:js|css)$/ } @console));

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


sub folder_of
{
    return dirname(shift) =~ s{^src/}{}r;
}


sub twice
{
    my %count;

    $count{$_}++ for @_;

    return grep { $count{$_} > 1 } sort keys %count;
}


sub includes_of
{
    my $file = shift;

    return map { /^\s*#\s*include\s*[<"]([^>"]+)[>"]/ ? $1 : () }
           @{ $lines{$file} };
}


# The names in a file's code, without comments and strings.

sub words_of
{
    my $code = join "\n", grep { !/^\s*#\s*include/ } @{ $lines{+shift} };

    $code =~ s{/\*.*?\*/|"(?:\\.|[^"\\])*"}{ }gs;

    return { map { $_ => 1 } $code =~ /\b(\w*dfp\w*)\b/g };
}


# In this style the name of a function that is defined begins its line, and its
# type is the line before; a variable has its type before it.

sub defined_in
{
    my $lines = $lines{+shift};
    my @names;

    for my $i (1 .. $#$lines) {

        if ($lines->[$i] =~ /^(\w*dfp\w*)\(/ && $lines->[$i - 1] !~ /^static\b/) {
            push @names, $1;

        } elsif ($lines->[$i] =~ /^(?!static\b|extern\b|typedef\b)\w[\w ]*[ *]
                                  (\w*dfp\w*)(?:\[\])?\ =/x)
        {
            push @names, $1;
        }
    }

    return @names;
}


sub included_by
{
    my $file = shift;

    return map { $path{$_} ? ($path{$_} => "by #include") : () }
           includes_of($file);
}


sub called_by
{
    my $file = shift;

    return if $file !~ /\.c$/;

    return map { ($owner{$_} // $file) eq $file
                     ? () : ($owner{$_} => $_) }
           sort keys %{ $words{$file} };
}


sub broken_directions
{
    my $file = shift;
    my $folder = folder_of($file);
    my %below = map { $_ => 1 } $folder, @{ $may{$folder} // [] };

    return map { "$file -> $_ ($uses{$file}{$_})" }
           grep { !$below{folder_of($_)} } sort keys %{ $uses{$file} };
}


# The files that can be reached from each other, by Tarjan's algorithm.

sub circles
{
    my ($count, @stack, %index, %low, @found) = (0);

    my $visit;

    $visit = sub {
        my $file = shift;

        $index{$file} = $low{$file} = $count++;
        push @stack, $file;

        for my $next (sort keys %{ $uses{$file} }) {

            if (!exists $index{$next}) {
                $visit->($next);
                $low{$file} = min($low{$file}, $low{$next});

            } elsif (grep { $_ eq $next } @stack) {
                $low{$file} = min($low{$file}, $index{$next});
            }
        }

        return if $low{$file} != $index{$file};

        my @circle;

        do { push @circle, pop @stack } while $circle[-1] ne $file;

        push @found, steps(sort @circle) if @circle > 1;
    };

    for my $file (@module) {
        $visit->($file) if !exists $index{$file};
    }

    return @found;
}


sub steps
{
    my @circle = @_;
    my %in = map { $_ => 1 } @circle;

    return map {
        my $file = $_;

        map { "$file -> $_ ($uses{$file}{$_})" }
            grep { $in{$_} } sort keys %{ $uses{$file} };
    } @circle;
}


# The functions of a file, with their code without comments and strings. A result
# is of the type in the line before the name.

sub functions_of
{
    my $file = shift;
    my $lines = $lines{$file};
    my @found;

    for my $i (1 .. $#$lines) {
        my ($name) = $lines->[$i] =~ /^(\w+)\(/ or next;
        my ($type) = $lines->[$i - 1] =~ /(\w+)$/ or next;
        my $end = $i;

        $end++ while $end < $#$lines && $lines->[$end] !~ /^\}|;$/;
        next if $lines->[$end] =~ /^\S.*;$/;
        $end++ while $end < $#$lines && $lines->[$end] ne '}';

        my $code = join "\n", @$lines[$i .. $end];

        $code =~ s{/\*.*?\*/|"(?:\\.|[^"\\])*"}{ }gs;

        push @found, { name => $name, type => $type, code => $code,
                       where => "$file:" . ($i + 1) . ": $name()" };
    }

    return @found;
}


sub mixed_codes
{
    return map { mixed_returns($_), mixed_calls($_), mixed_variables($_) }
           @{ $functions{+shift} };
}


sub mixed_returns
{
    my $f = shift;
    my $foreign = $f->{type} eq 'dfp_rc_t' ? $nginx_code : $plain_code;
    my @broken;

    while ($f->{code} =~ /\breturn\b([^;]*);/g) {
        my $value = $1 =~ s/[!=]=\s*(?:$nginx_code|$plain_code)//gr;

        push @broken, "$f->{where} returns $1" if $value =~ /($foreign)/;
    }

    return @broken;
}


# What is done with the result of each call.

sub mixed_calls
{
    my $f = shift;
    my $arguments = qr/(\((?:[^()]++|(?-1))*+\))/;
    my @broken;

    while ($f->{code} =~ /\b(\w+)(?=\()/g) {
        my ($name, $before, $after) = ($1, $`, $');
        my $type = $returns{$name} or next;

        next if $before eq '' || $after !~ /^$arguments\s*([!=]=\s*(\w+))?/;

        my ($compared, $with) = ($2, $3);
        my $does = $compared ? bad_comparison($type, $with)
                             : bad_use($f, $type, $before);

        push @broken, "$f->{where} $does $name()" if $does;
    }

    return @broken;
}


sub bad_comparison
{
    my ($type, $with) = @_;

    if ($type eq 'dfp_rc_t') {
        return $with =~ /^$plain_code$/ ? '' : "compares with $with";
    }

    return $with =~ /^$plain_code$/ ? "compares with $with" : '';
}


sub bad_use
{
    my ($f, $type, $before) = @_;

    if ($before =~ /\breturn\s[^;]*$/ && $before !~ /[!=]=[^;]*$/) {
        return 'returns' if $type eq 'dfp_rc_t' && $f->{type} ne 'dfp_rc_t';
        return 'returns' if $type eq 'ngx_int_t' && $f->{type} eq 'dfp_rc_t';
    }

    return '' if $type ne 'dfp_rc_t';

    return 'takes for true or false' if $before =~ /(?:!|\bif \(|&&|\|\|)\s*$/;

    my ($variable) = $before =~ /\b(\w+) = [^;{]*$/ or return '';

    return $f->{code} =~ /^ ++(?!(?:dfp_rc_t|return)\b)\w+ [ *]*(?:\w+, )*$variable[,;]/m
           ? 'has a variable of another type for' : '';
}


sub mixed_variables
{
    my $f = shift;
    my %both;

    while ($f->{code} =~ /([\w>.-]+)\s+[!=]?=\s+(\w+)/g) {
        $both{$1} |= $2 =~ /^$nginx_code$/ ? 1 : $2 =~ /^$plain_code$/ ? 2 : 0;
    }

    return map { "$f->{where} compares $_ with both" }
           grep { $both{$_} == 3 } sort keys %both;
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


# The texts of dfp_texts.h that are long enough to mean nothing else.

sub texts
{
    my $header = join "\n", @{ $lines{'src/lib/base/dfp_texts.h'} };

    $header =~ s{/\*.*?\*/}{}gs;

    return grep { length > 9 } $header =~ /"([^"]+)"/g;
}


sub elsewhere
{
    my ($file, $pattern, $place) = @_;

    return $file =~ m{^src/$place\.} ? () : matching($file, $pattern);
}


# In this style a function begins and ends with a brace in the first column.

sub long_functions
{
    my $file = shift;
    my $begins = $file =~ /\.js$/ ? qr/^(?:export )?(?:async )?function\b/
                                  : qr/^\{$/;
    my ($start, @long);

    for my $i (0 .. $#{ $lines{$file} }) {
        my $line = $lines{$file}[$i];

        if ($line =~ $begins) {
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
