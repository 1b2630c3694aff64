/* SPDX-License-Identifier: Apache-2.0
 *
 * values -- the literals that the differential test is made of. */
#ifndef SQLTEST_VALUES_H
#define SQLTEST_VALUES_H

/* clang-format off */
/* What breaks comparisons, keys, affinities and encodings.  None contains a double
 * quote: printed scripts put them between some. */
static const char *const awkward[] = {
    "NULL", "0", "-1", "1", "1.0", "-0.0", "0.5", "-0.5", "1.5", "-1.5", "2.0", "127",
    "128", "-128", "-129", "32767", "32768", "-32769", "8388607", "-8388609",
    "2147483647", "2147483648", "-2147483649", "140737488355327", "-140737488355329",
    "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993",
    "9007199254740992.0", "9007199254740994.0", "1e15", "1e18", "1e-300", "-1e-300",
    "123456789.125", "''", "'a'", "'b'", "'abc'", "'ABC'", "'ABC '", "'abc  '",
    "' abc'", "'ab'", "'abcd'", "'key1'", "'key10'", "'Key1'", "'0'", "'1'", "'-1'",
    "'01'", "'1.0'", "'1.5'", "' 2'", "'2 '", "'1e1'", "'0x10'", "'12abc'",
    "'9007199254740993'", "'9007199254740993.0'", "'.5'", "'-'", "'+3'", "'3.'",
    "'inf'", "'nan'", "CAST(x'610062' AS TEXT)", "CAST(x'4100' AS TEXT)",
    "CAST(x'6100' AS TEXT)", "CAST(x'00' AS TEXT)", "char(228)", "char(196)",
    "char(8364)", "char(128512)", "char(65535)", "x''", "x'00'", "x'0000'", "x'01'",
    "x'61'", "x'616263'", "x'ff'", "x'ff00'", "x'ffff'", "x'31'",
    "'Ab'", "'B '", "x'6162'", "printf('%.300c', 'z')", "zeroblob(40)", "printf('%.5000c', 'v')", "zeroblob(9000)",
};

/* Not for rowids: beside the largest one SQLite assigns random ones. */
static const char *const huge[] = {
    "9223372036854775807", "9223372036854775806", "-9223372036854775807",
    "(-9223372036854775807 - 1)", "9223372036854775807.0", "-9223372036854775808.0",
    "1e19", "-1e19", "9e999", "-9e999", "1.7976931348623157e308",
    "'9223372036854775807'", "'9223372036854775808'", "'-9223372036854775808'",
    "'1e400'", "9223372036854774784.0", "'9223372036854775807.0'",
};

static const char *const words[] = {
    "''", "'a'", "'A'", "'b'", "'B'", "'ab'", "'AB'", "'ab '", "'abc'", "'b '", "'ba'",
    "'c'", "'key1'", "'key10'", "'Abc'", "'a '", "x'6162'", "x'6b657931'",
};

/* Beside the smallest size that a value of the value log has, and above. */
static const char *const large[] = {
    "printf('%.511c', 'p')", "printf('%.512c', 'q')", "zeroblob(511)", "zeroblob(512)",
    "CAST(printf('%.700c', 'r') AS BLOB)", "printf('%.3000c', 's')", "zeroblob(2500)",
    "hex(printf('%.260c', 't'))", "printf('%.20000c', 'u')",
};
/* clang-format on */

#endif
