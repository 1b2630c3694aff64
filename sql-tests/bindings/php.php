<?php
// SPDX-License-Identifier: Apache-2.0
// php -d sqlite3.extension_dir=DIR php.php SCENARIO EXTENSION DATABASE -- with SQLite3.
[, $scenario, $extension, $database] = $argv;

function connect(string $database, string $extension): SQLite3 {
    $db = new SQLite3($database);
    $db->enableExceptions(true);
    $db->loadExtension(basename($extension));
    return $db;
}

function value(string $token) {
    $text = substr($token, 2);
    switch ($token[0]) {
        case 'n': return [null, SQLITE3_NULL];
        case 'i': return [(int)$text, SQLITE3_INTEGER];
        case 'r': return [(float)$text, SQLITE3_FLOAT];
        case 't': return [$text, SQLITE3_TEXT];
        default: return [hex2bin($text), SQLITE3_BLOB];
    }
}

function run(SQLite3 $db, string $sql, array $tokens): array {
    $statement = $db->prepare($sql);
    foreach ($tokens as $i => $t) {
        [$v, $type] = value($t);
        $statement->bindValue(':p' . ($i + 1), $v, $type);
    }
    $result = $statement->execute();
    $rows = [];
    while ($result->numColumns() > 0 && ($row = $result->fetchArray(SQLITE3_NUM)) !== false)
        $rows[] = $row;
    $result->finalize();
    $statement->close();
    return $rows;
}

$steps = [];
foreach (file($scenario, FILE_IGNORE_NEW_LINES) as $line) {
    if ($line === '' || $line[0] === '#') continue;
    $fields = explode("\t", $line);
    if ($fields[0] === 'row')
        $steps[count($steps) - 1][1][] = array_map(fn($t) => value($t)[0], array_slice($fields, 1));
    else
        $steps[] = [$fields, []];
}
$connections = [];
$failed = 0;
foreach ($steps as $n => [$fields, $rows]) {
    [$what, $name] = $fields;
    $sql = $fields[2] ?? '';
    $note = null;
    try {
        if ($what === 'open') $connections[$name] = connect($database, $extension);
        elseif ($what === 'close') { $connections[$name]->close(); unset($connections[$name]); }
        elseif ($what === 'fail') {
            $note = 'it did not fail';
            try { run($connections[$name], $sql, []); }
            catch (Exception $e) { $note = strpos($e->getMessage(), $fields[3]) !== false ? null : $e->getMessage(); }
        } else {
            $got = run($connections[$name], $sql, array_slice($fields, 3));
            if ($what === 'ask' && $got !== $rows)
                $note = json_encode($got, JSON_PARTIAL_OUTPUT_ON_ERROR) . ', wanted ' . json_encode($rows, JSON_PARTIAL_OUTPUT_ON_ERROR);
        }
    } catch (Exception $e) { $note = $e->getMessage(); }
    $failed += $note !== null;
    printf("%sok %d - %s %s\n", $note !== null ? 'not ' : '', $n + 1, $what, $sql !== '' ? $sql : $name);
    if ($note !== null) echo "# $note\n";
}
echo '1..' . count($steps) . "\n";
exit($failed > 0 ? 1 : 0);
