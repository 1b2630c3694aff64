# SPDX-License-Identifier: Apache-2.0
# perl.pl SCENARIO EXTENSION DATABASE -- with DBI and DBD::SQLite.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);

my ($scenario, $extension, $database) = @ARGV;
binmode STDOUT, ':encoding(UTF-8)';

sub connect_to {
    my $db = DBI->connect("dbi:SQLite:dbname=$database", '', '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, sqlite_unicode => 1 });
    $db->sqlite_enable_load_extension(1);
    $db->sqlite_load_extension($extension);
    return $db;
}

sub run_sql {
    my ($db, $sql, @tokens) = @_;
    my %type = (n => SQL_VARCHAR, i => SQL_BIGINT, r => SQL_DOUBLE, t => SQL_VARCHAR, b => SQL_BLOB);
    my $st = $db->prepare($sql);
    for my $i (0 .. $#tokens) {
        my ($kind, $text) = $tokens[$i] =~ /^(.):(.*)$/s;
        my $v = $kind eq 'n' ? undef : $kind eq 'b' ? pack('H*', $text) : $text;
        $st->bind_param(':p' . ($i + 1), $v, $type{$kind});
    }
    $st->execute;
    return $st->{NUM_OF_FIELDS} ? $st->fetchall_arrayref : [];
}

# Perl's values have no types: each is taken as what is wanted.
sub same {
    my ($got, $token) = @_;
    my ($kind, $text) = $token =~ /^(.):(.*)$/s;
    return !defined $got if $kind eq 'n';
    return 0 unless defined $got;
    return $kind eq 'r' ? $got == $text : $kind eq 'b' ? unpack('H*', $got) eq $text : $got eq $text;
}

my @steps;
open my $file, '<:encoding(UTF-8)', $scenario or die "$scenario: $!";
while (my $line = <$file>) {
    chomp $line;
    my @fields = split /\t/, $line, -1;
    next if $line =~ /^(#|$)/;
    if ($fields[0] eq 'row') { push @{ $steps[-1]{rows} }, [ @fields[ 1 .. $#fields ] ]; }
    else { push @steps, { fields => [@fields], rows => [] }; }
}
my (%connections, $failed);
my $n = 0;
for my $step (@steps) {
    my ($what, $name, $sql, @rest) = @{ $step->{fields} };
    my $note;
    eval {
        if ($what eq 'open') { $connections{$name} = connect_to(); }
        elsif ($what eq 'close') { (delete $connections{$name})->disconnect; }
        elsif ($what eq 'fail') {
            $note = 'it did not fail';
            eval { run_sql($connections{$name}, $sql); 1 }
                or $note = index($@, $rest[0]) >= 0 ? undef : $@;
        }
        else {
            my $got = run_sql($connections{$name}, $sql, @rest);
            if ($what eq 'ask') {
                my @want = @{ $step->{rows} };
                my $right = @want == @$got;
                for my $i (0 .. $#want) {
                    last unless $right;
                    $right &&= @{ $want[$i] } == @{ $got->[$i] };
                    $right &&= same($got->[$i][$_], $want[$i][$_]) for 0 .. $#{ $want[$i] };
                }
                $note = 'got ' . join('; ', map { join ', ', map { $_ // 'NULL' } @$_ } @$got) unless $right;
            }
        }
        1;
    } or $note = $@;
    $n++;
    $failed++ if defined $note;
    printf "%sok %d - %s %s\n", defined $note ? 'not ' : '', $n, $what, $sql // $name;
    print "# $note\n" if defined $note;
}
print "1..$n\n";
exit($failed ? 1 : 0);
