# SPDX-License-Identifier: Apache-2.0
# tcl.tcl SCENARIO EXTENSION DATABASE -- with the package sqlite3.
package require sqlite3
lassign $argv scenario extension database
fconfigure stdout -encoding utf-8

proc value {token} {
    set text [string range $token 2 end]
    switch [string index $token 0] {
        i { return [expr {int($text) + 0}] }
        r { return [expr {double($text)}] }
        b { return [binary format H* $text] }
        default { return $text }
    }
}

# A parameter whose variable is not set is NULL.
proc run {db sql tokens} {
    set n 0
    foreach token $tokens {
        incr n
        if {[string index $token 0] ne "n"} { set p$n [value $token] }
    }
    set rows {}
    $db eval $sql row {
        set values {}
        foreach column $row(*) { lappend values $row($column) }
        lappend rows $values
    }
    return $rows
}

# Tcl's values have no types: each is taken as what is wanted.
proc same {got token} {
    set text [string range $token 2 end]
    switch [string index $token 0] {
        n { return [expr {$got eq "NULL"}] }
        r { return [expr {$got == $text}] }
        b { binary scan $got H* hex; return [expr {$hex eq $text}] }
        default { return [expr {$got eq $text}] }
    }
}

proc same_rows {got want} {
    if {[llength $got] != [llength $want]} { return 0 }
    foreach g $got w $want {
        if {[llength $g] != [llength $w]} { return 0 }
        foreach a $g b $w { if {![same $a $b]} { return 0 } }
    }
    return 1
}

set steps {}
set file [open $scenario]
fconfigure $file -encoding utf-8
while {[gets $file line] >= 0} {
    if {$line eq "" || [string index $line 0] eq "#"} continue
    set fields [split $line \t]
    if {[lindex $fields 0] eq "row"} {
        set last [lindex $steps end]
        lset last 1 [concat [lindex $last 1] [list [lrange $fields 1 end]]]
        lset steps end $last
    } else { lappend steps [list $fields {}] }
}
set n 0
set failed 0
foreach step $steps {
    lassign $step fields want
    lassign $fields what name sql
    set rest [lrange $fields 3 end]
    set note ""
    incr n
    switch $what {
        open {
            sqlite3 db_$name $database
            db_$name nullvalue NULL
            db_$name enable_load_extension 1
            db_$name eval {SELECT load_extension($extension)}
        }
        close { db_$name close }
        fail {
            if {![catch {run db_$name $sql {}} message]} {
                set note "it did not fail"
            } elseif {[string first [lindex $rest 0] $message] < 0} { set note $message }
        }
        default {
            if {[catch {run db_$name $sql $rest} got]} {
                set note $got
            } elseif {$what eq "ask" && ![same_rows $got $want]} {
                set note "$got, wanted $want"
            }
        }
    }
    set prefix [expr {$note ne "" ? "not " : ""}]
    puts "${prefix}ok $n - $what [expr {$sql ne "" ? $sql : $name}]"
    if {$note ne ""} { puts "# $note"; incr failed }
}
puts "1..$n"
exit [expr {$failed > 0}]
