// SPDX-License-Identifier: Apache-2.0
// node.js SCENARIO EXTENSION DATABASE -- with better-sqlite3, found through NODE_PATH.
const fs = require('fs');
const Database = require('better-sqlite3');
const [scenario, extension, database] = process.argv.slice(2);

function connect() {
    const db = new Database(database);
    db.defaultSafeIntegers(true); // 64 bits: every integer is a BigInt
    db.loadExtension(extension);
    return db;
}

function value(token) {
    const text = token.slice(2);
    switch (token[0]) {
    case 'n': return null;
    case 'i': return BigInt(text);
    case 'r': return Number(text);
    case 't': return text;
    default: return Buffer.from(text, 'hex');
    }
}

function run(db, sql, tokens) {
    const named = {};
    tokens.forEach((t, i) => { named['p' + (i + 1)] = value(t); });
    const statement = db.prepare(sql);
    if (statement.reader)
        return statement.raw().all(named);
    statement.run(named);
    return [];
}

function same(a, b) {
    if (Buffer.isBuffer(b))
        return Buffer.isBuffer(a) && a.equals(b);
    return a === b;
}

function sameRows(got, want) {
    return got.length === want.length && got.every((row, i) =>
        row.length === want[i].length && row.every((v, j) => same(v, want[i][j])));
}

const steps = [];
for (const line of fs.readFileSync(scenario, 'utf8').split('\n')) {
    if (line === '' || line[0] === '#')
        continue;
    const fields = line.split('\t');
    if (fields[0] === 'row')
        steps[steps.length - 1].rows.push(fields.slice(1).map(value));
    else
        steps.push({fields, rows: []});
}
const connections = {};
let failed = 0;
steps.forEach(({fields, rows}, n) => {
    const [what, name, sql, ...rest] = fields;
    let note = null;
    try {
        if (what === 'open') {
            connections[name] = connect();
        } else if (what === 'close') {
            connections[name].close();
        } else if (what === 'fail') {
            note = 'it did not fail';
            try {
                run(connections[name], sql, []);
            } catch (e) {
                note = e.message.includes(rest[0]) ? null : e.message;
            }
        } else {
            const got = run(connections[name], sql, rest);
            if (what === 'ask' && !sameRows(got, rows))
                note = got.map(r => r.map(String)).join('; ');
        }
    } catch (e) {
        note = e.message;
    }
    failed += note !== null;
    console.log(`${note !== null ? 'not ' : ''}ok ${n + 1} - ${what} ${sql || name}`);
    if (note !== null)
        console.log('# ' + note);
});
console.log('1..' + steps.length);
process.exitCode = failed > 0 ? 1 : 0;
