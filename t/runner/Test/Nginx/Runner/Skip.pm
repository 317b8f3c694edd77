# Whether a block is to be run: sections that this runner does not know, and
# those with which a block says when it has no sense.

package Test::Nginx::Runner::Skip;

use strict;
use warnings;

use Test::Nginx::Runner::Process ();
use Test::Nginx::Util;

# A block with one of these would pass without being tested.
my @unsupported = qw(
    charset curl curl_error curl_options curl_protocol http09 http2 http3
    post_setup_server_root request_eval response_body_eval
    response_body_filters response_body_json_sort server_addr_for_client
    skip_nginx2 skip_openssl skip_slave stap stap_out stap_out_like
    stap_out_unlike tcp_no_close tcp_query tcp_query_auto_timeout
    tcp_query_len tcp_reply_delay tcp_shutdown tcp_shutdown_delay todo_nginx
    udp_listen udp_query udp_reply udp_reply_delay write_resp_body_file
);

my %compare = (
    '<'  => sub { $_[0] < $_[1] },
    '<=' => sub { $_[0] <= $_[1] },
    '>'  => sub { $_[0] > $_[1] },
    '>=' => sub { $_[0] >= $_[1] },
);


sub check_sections
{
    my $block = shift;

    for my $section (@unsupported) {
        bail_out($block->name, " - the section $section is not supported by",
                 " this runner") if defined $block->$section;
    }
}


# "run", or "skip" or "todo" with the number of tests and the reason.

sub verdict
{
    my $block = shift;

    my @skip = _skip_eval($block);
    @skip = _skip_nginx($block) if !@skip;

    return ('skip', @skip) if @skip;

    my $todo = $block->todo;

    return ('run') if !defined $todo;

    my ($ntests, $reason) = $todo =~ /^\s*(\d+)\s*:\s*(.*)/s
        or bail_out($block->name, " - todo is not \"N: reason\": $todo");

    return ('todo', $ntests, $reason);
}


# "N: code" skips where the code says yes.

sub _skip_eval
{
    my $block = shift;

    my $spec = $block->skip_eval // return;

    my ($ntests, $code) = $spec =~ /^\s*(\d+)\s*:\s*(.*)/s
        or bail_out($block->name, " - skip_eval is not \"N: code\": $spec");

    my $skip = eval $code;
    bail_out($block->name, " - skip_eval: $@") if $@;

    return $skip ? ($ntests, 'skip_eval') : ();
}


# "N: < 1.25.1" or "N: < 1.25.1: reason" skips with such versions of nginx.

sub _skip_nginx
{
    my $block = shift;

    my $spec = $block->skip_nginx // return;

    my ($ntests, $op, $version, $reason)
        = $spec =~ /^\s*(\d+)\s*:\s*([<>]=?)\s*(\d+\.\d+\.\d+)
                    (?:\s*:\s*(.*?))?\s*$/x
        or bail_out($block->name, " - skip_nginx is not \"N: < 1.2.3\": ",
                    $spec);

    my $wanted = Test::Nginx::Runner::Process::version_number(
                     split /\./, $version);

    return if !$compare{$op}->(
                  Test::Nginx::Runner::Process::version_number(), $wanted);

    return ($ntests, $reason || "nginx version $op $version");
}

1;
