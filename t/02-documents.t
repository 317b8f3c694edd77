# The documents are complete and lead nowhere wrong: what users can configure,
# send and receive is described, and what a document names exists.
#
# Each rule is one test, which prints every place that breaks it. Files of src/
# are found wherever they are.

use strict;
use warnings;

use File::Basename qw( basename dirname );
use File::Find;
use File::Spec::Functions qw( catfile );
use Test::More;

# What a name in backquotes ends with where it is that of a file.

my $extensions = qr/\.(?:c|h|t|md|conf|lua|sh|py|pm|proto|supp)$/;

# nginx's configuration flags, in the order of its documentation.

my @contexts = (
    [ NGX_HTTP_MAIN_CONF => 'http' ],
    [ NGX_HTTP_SRV_CONF  => 'server' ],
    [ NGX_HTTP_LOC_CONF  => 'location' ],
);

my (%text, %folders);

find({
    no_chdir => 1,
    wanted   => sub {
        if (-d) {
            if (m{^\./(?:build|\.git|t/servroot\w*|t/fuzz/corpus)$}) {
                $File::Find::prune = 1;
            }

            $folders{s{^\./}{}r} = 1;
            return;
        }

        $text{s{^\./}{}r} = -T ? slurp($_) : '' if -f;
    },
}, '.');

my @sources = grep { m{^(?:src/.*|[^/]+)\.[ch]$} } sort keys %text;
my @documents = grep { m{^(?:docs/)?[^/]+\.md$} } sort keys %text;

my $directives = $text{'docs/directives.md'} // '';
my $api = $text{'docs/open-api.md'} // '';
my $operations = $text{'docs/operations.md'} // '';
my $metrics = $text{'docs/metrics.md'} // '';
my $form = join "\n", map { $text{$_} =~ s{/\*.*?\*/|^\s*//.*?$}{}smgr } grep { m{^console/preheat.*\.js$} }
                                        sort keys %text;
my $dashboard = $text{'contrib/grafana-dashboard.json'} // '';

my %commands = map { commands_of($text{$_}) } @sources;
my %variables = map { variables_of($text{$_}) } @sources;
my @requested = map { requested_by($_) } @sources;
my @answered = map { answered_by($text{$_}) } @sources;
my %metrics = map { metrics_of($text{$_}) } @sources;
my @labels = map { labels_of($text{$_}) } grep { /status_print/ } @sources;
my @quotes = quotes();

ok(keys %commands >= 30 && keys %variables >= 10 && @requested >= 25
   && @answered >= 60 && keys %metrics >= 15 && @labels >= 20,
   'directives, variables, fields and metrics are found in src/')
    or diag(scalar keys %commands, ' directives, ', scalar keys %variables,
            ' variables, ', scalar @requested, ' and ', scalar @answered,
            ' fields');

rule('each directive has its syntax, default and context',
     map { undocumented($_) } sort keys %commands);

rule('each variable is described',
     map { $directives =~ /^### \$$_\n\n\S/m ? () : "\$$_" }
     sort keys %variables);

rule('each directive and variable that is described exists',
     map { $commands{$_} || /^\$(\w+)/ && $variables{$1} ? () : $_ }
     $directives =~ /^### (\S+)$/mg);

rule('each field of a request is in a table of docs/open-api.md',
     map { my $field = $_;
           (grep { $_ eq $field } in_tables($api)) ? () : $field }
     @requested);

rule('each field of an answer is in docs/open-api.md',
     map { $api =~ /`(?:args\.|webhook\.)?\Q$_\E`/ ? () : $_ } unique(@answered));

rule('each field of a job is in the form of the console',
     map { my $field = $_;
           $form =~ /\b\Q$field\E\b/ ? () : $field }
     grep { !/^(?:type|args|args\.urls|webhook)$/ }
     map { in_tables($_) }
     $api =~ /^## Create a job$(.*?)^### Repeated requests$/sm);

rule('the demonstration sends fields that are in docs/open-api.md',
     map { my $field = $_;
           (grep { /^(?:args\.)?\Q$field\E$/ } in_tables($api)) ? () : $field }
     unique(map { $text{$_} =~ /\\?"(\w+)\\?":/g }
            qw( demo/demo.sh demo/lib.sh )));

rule('each metric is in a table of docs/metrics.md, with its type and its labels',
     (map { $metrics =~ /^\| `\Q$_\E`(?: \*)? \| $metrics{$_} \|/m ? () : $_ }
      sort keys %metrics),
     (grep { my $label = $_; !grep { $_ eq $label } in_backquotes($metrics) }
      @labels));

rule('each metric that is described, or in the dashboard, exists',
     grep { !$metrics{s/_(?:bucket|sum|count)$//r} && !$commands{$_}
            && !$variables{$_} }
     "$metrics$dashboard" =~ /\b(dfpreheat_\w+)/g);

rule('each message that docs/operations.md quotes is in src/',
     stale());

rule('each message of the error log and of nginx -t is in docs/operations.md',
     map { unexplained($_, $text{$_}) } @sources);

rule('each link leads somewhere', map { dead_links($_) } @documents);

rule('each file that is named exists',
     map { missing_files($_) } grep { $_ ne 'CHANGELOG.md' } @documents);

rule('each row of a table has as many cells as the first one',
     map { uneven_rows($_) } @documents);

rule('README.md has at most 200 lines',
     ($text{'README.md'} =~ tr/\n//) > 200 ? 'it has more' : ());

done_testing();


sub rule
{
    my ($name, @broken) = @_;

    ok(!@broken, $name) or diag(map { "  $_\n" } @broken);
}


# Rows as "document: row". A "\|" is no border.

sub uneven_rows
{
    my $document = shift;

    my $text = $text{$document} =~ s/^```.*?^```$//gmsr;
    my @broken;

    while ($text =~ /((?:^\|.*\n)+)/mg) {
        my ($head, @rows) = map { [ $_, scalar(() = /(?<!\\)\|/g) ] }
                            split /\n/, $1;

        push @broken, map { "$document: $_->[0]" }
                      grep { $_->[1] != $head->[1] } @rows;
    }

    return @broken;
}


sub slurp
{
    my $file = shift;

    open my $fh, '<', $file or die "$file: $!";
    local $/;

    return <$fh> // '';
}


sub unique
{
    my %seen;

    return grep { !$seen{$_}++ } @_;
}


# Directives with their flags, from tables of ngx_command_t.

sub commands_of
{
    my $code = shift;

    $code =~ s/ngx_dfp_main_value\(("\w+"),\s\w+,\s\w+\)
              /{ ngx_string($1), NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1, }/gx;

    $code =~ s/ngx_dfp_loc_list\(("\w+"),\s\w+\)
              /{ ngx_string($1), NGX_HTTP_LOC_CONF|NGX_CONF_1MORE, }/gx;
    $code =~ s/ngx_dfp_loc_flag\(("\w+"),\s\w+\)
              /{ ngx_string($1), NGX_HTTP_LOC_CONF|NGX_CONF_FLAG, }/gx;
    $code =~ s/ngx_dfp_main_set\(("\w+"),\s(\w+),\s+\w+\)
              /{ ngx_string($1), NGX_HTTP_MAIN_CONF|$2, }/gx;

    return map { /ngx_string\("(\w+)"\),\s*([\w|\s]+?),/ ? ($1 => $2) : () }
           map { split /\},/ }
           $code =~ /\bngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)ngx_null_command/sg;
}


sub variables_of
{
    my $code = shift;

    return map { $_ => 1 }
           map { /(?:\{\s*ngx_string|\bngx_dfp_var)\("(\w+)"[,)]/g }
           $code =~ /\bngx_http_variable_t\s+\w+\[\]\s*=\s*\{
                     (.*?)ngx_http_null_variable/sxg;
}


# What is wrong about the description of a directive.

sub undocumented
{
    my $name = shift;

    my ($syntax, $default, $context) = $directives =~ /
        ^\#\#\#\ \Q$name\E\n\n
        \*\*Syntax:\*\*\ ((?:`\Q$name\E\ [^`]+;`\n)+)\n
        \*\*Default:\*\*\ (—|`\Q$name\E\ [^`]+;`)\n\n
        \*\*Context:\*\*\ ([^\n]+)\n\n
        \w /mx
        or return "$name: it is not described, or not in nginx's form";

    my $flags = $commands{$name};
    my $right = join ', ', map { $flags =~ /\b$_->[0]\b/ ? $_->[1] : () }
                           @contexts;
    my @wrong;

    push @wrong, "$name: the context is $right" if $context ne $right;

    if ($flags =~ /\bNGX_CONF_FLAG\b/ && $syntax ne "`$name on | off;`\n") {
        push @wrong, "$name: its value is on or off";
    }

    return @wrong;
}


# The keys that are read from JSON that a client has posted. Those of a job's
# args begin with "args." in the document.

sub requested_by
{
    my $file = shift;

    return if basename($file) !~ /^dfp_(?:job|token|webhook)/;

    my @keys = $text{$file} =~ /\(\s*in(?:->object)?,\s*"(\w+)"/g;

    return unique(@keys) if basename($file) =~ /^dfp_token/;

    return unique(map { $_ eq 'webhook' ? $_ : "webhook.$_" } @keys)
        if basename($file) =~ /^dfp_webhook/;

    # in the body itself there are only these

    my %outer = map { $_ => 1 }
                qw( type bio user_id scheduler_cluster_ids args dry_run );

    return unique(map { $outer{$_} ? $_ : "args.$_" } @keys),
           (grep { $_ eq 'type' } @keys) > 1 ? 'args.type' : ();
}


# Names before a colon in JSON that is printed, and those of lists.

sub answered_by
{
    my $code = shift;

    return $code =~ /(?:[{,]|(?<!\\)")\\"(\w+)\\":/g,
           map { ($_, "${_}_omitted") } $code =~ /_list\(&b, "(\w+)"/g;
}


# Metrics with their types, from constants of ngx_dfp_metric_t; and the values of
# their labels.

sub metrics_of
{
    my $code = shift;

    return $code =~ /"(dfpreheat_\w+)", "(counter|gauge|histogram)"/g;
}


sub labels_of
{
    my $code = shift;

    return map { /"(\w+)"/g }
           $code =~ /static const char \*const  \w+\[\] = \{(.*?)\}/sg;
}


sub in_backquotes
{
    my $document = shift;

    return map { /`([^`]+)`/g } $document =~ /^\|(.*)\|$/mg;
}


# What is in backquotes in the first cells of tables.

sub in_tables
{
    my $document = shift;

    return map { /`([^`]+)`/g } $document =~ /^\|([^|]*)\|/mg;
}


# String literals of C, joined where they stand side by side or have a macro
# between them.

sub literals
{
    my $code = shift;

    $code =~ s{/\*.*?\*/}{}sg;
    $code =~ s/'(?:\\.|[^'\\\n])'//g;
    $code =~ s/(?<!\\)"\s*(?:PRI\w+|[A-Z]+_[A-Z_]+|ngx_\w+_n)?\s*"//g;

    return map { s/\\(["\\])/$1/gr } $code =~ /"((?:[^"\\\n]|\\.)*)"/g;
}


sub lua_literals
{
    my $code = shift;

    return $code =~ /'((?:[^'\\\n]|\\.)*)'/g;
}


# Quotes are in the first cells of the tables of the troubleshooting. An ellipsis
# stands for a value.

sub quotes
{
    return in_tables($operations =~ s/.*?^## Troubleshooting//smr);
}


sub stale
{
    my $known = join "\n",
                map({ literals($text{$_}) } @sources),
                map({ lua_literals($text{$_}) }
                    grep { m{^src/.*\.lua$} } sort keys %text);

    return grep { !quoted_from($_, $known) } @quotes;
}


sub quoted_from
{
    my ($quote, $message) = @_;

    return !grep { index($message, $_) == -1 } split /…/, $quote;
}


# Messages of level warn and above of which there is no quote that says something.

sub unexplained
{
    my ($file, $code) = @_;
    my @missing;

    while ($code =~ /\bngx_(?:conf_)?log_error\(
                     NGX_LOG_(?:EMERG|ALERT|CRIT|ERR|WARN),
                     [^"]* ((?:"(?:[^"\\]|\\.)*"|\s|ngx_\w+_n\b)+)/sxg)
    {
        my ($message) = literals($1);

        next if $message =~ s/^dfpreheat: |%[*]?\w+//gr !~ /\w{4}/;

        if (!grep { /[^…]{8}/ && quoted_from($_, $message) } @quotes) {
            push @missing, "$file: $message";
        }
    }

    return @missing;
}


sub dead_links
{
    my $file = shift;
    my @dead;

    my $document = without_code($text{$file});

    for my $link ($document =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^https?:/;

        my ($path, $anchor) = split /#/, $link, 2;
        my $target = $path eq '' ? $file : within(dirname($file), $path);

        if (!defined $text{$target} && !$folders{$target}) {
            push @dead, "$file: $link";

        } elsif (defined $anchor
                 && !grep { $_ eq $anchor } anchors($text{$target}))
        {
            push @dead, "$file: $link: there is no such heading";
        }
    }

    return @dead;
}


# As GitHub makes them of headings.

sub anchors
{
    my $document = shift;

    return map { lc(s/[^\w\s-]//gr) =~ s/ /-/gr }
           without_code($document) =~ /^#+ (.*)$/mg;
}


sub within
{
    my ($folder, $path) = @_;

    $path = "$folder/$path" if $folder ne '.';

    1 while $path =~ s{(?:^|(?<=/))(?!\.\./)[^/]+/\.\./}{};

    return $path;
}


# Blocks of code: fenced, and indented by four.

sub without_code
{
    my $document = shift;

    $document =~ s/^```.*?^```$//smg;
    $document =~ s/^ {4}.*$//mg;

    return $document;
}


# Names in backquotes that are those of files: a path below a folder of the
# tree, or a name with an extension. build/ and t/servroot are made by make.

sub missing_files
{
    my $file = shift;

    return map { "$file: $_" }
           grep { !exists_in_tree(dirname($file), $_) }
           grep { !m{^(?:/|build/|t/servroot)} }
           grep { m{^([\w.-]+)/[\w./*-]*$} && $folders{$1}
                  || m{^[\w./-]+$} && /$extensions/ }
           without_code($text{$file}) =~ /`([^`\n]+)`/g;
}


sub exists_in_tree
{
    my ($folder, $name) = @_;

    $name =~ s{/$}{};

    return 1 if $name =~ /\*/ ? glob($name) : -e $name || -e "$folder/$name";

    return $name !~ m{/} && grep { basename($_) eq $name } keys %text;
}
