# SPDX-License-Identifier: Apache-2.0
"""python.py SCENARIO EXTENSION DATABASE -- with the module sqlite3, or apsw if named so."""
import sys

scenario, extension, database = sys.argv[1:4]
use_apsw = len(sys.argv) > 4 and sys.argv[4] == 'apsw'
if use_apsw:
    import apsw as binding
else:
    import sqlite3 as binding


def connect():
    if use_apsw:
        db = binding.Connection(database)
        db.enableloadextension(True)
        db.loadextension(extension)
    else:
        db = binding.connect(database, isolation_level=None)
        db.enable_load_extension(True)
        db.load_extension(extension)
    return db


def value(token):
    kind, text = token[0], token[2:]
    return {'n': lambda: None, 'i': lambda: int(text), 'r': lambda: float(text),
            't': lambda: text, 'b': lambda: bytes.fromhex(text)}[kind]()


def run(db, sql, tokens):
    named = {'p%d' % (i + 1): value(t) for i, t in enumerate(tokens)}
    return [list(row) for row in db.cursor().execute(sql, named)]


def same(got, want):
    return got == want and [[type(v) for v in r] for r in got] == \
        [[type(v) for v in r] for r in want]


steps = []
for line in open(scenario, encoding='utf-8'):
    fields = line.rstrip('\n').split('\t')
    if fields[0] == 'row':
        steps[-1][1].append([value(t) for t in fields[1:]])
    elif line.strip() and line[0] != '#':
        steps.append((fields, []))
connections, failed = {}, 0
for n, (fields, rows) in enumerate(steps, 1):
    what, name, sql, rest = fields[0], fields[1], (fields + [''])[2], fields[3:]
    note = None
    try:
        if what == 'open':
            connections[name] = connect()
        elif what == 'close':
            connections.pop(name).close()
        elif what == 'fail':
            try:
                run(connections[name], sql, [])
                note = 'it did not fail'
            except binding.Error as e:
                note = None if rest[0] in str(e) else str(e)
        else:
            got = run(connections[name], sql, rest)
            note = None if what == 'do' or same(got, rows) else '%r, wanted %r' % (got, rows)
    except binding.Error as e:
        note = str(e)
    failed += note is not None
    print('%sok %d - %s %s' % ('not ' if note else '', n, what, sql or name))
    if note:
        print('# ' + note)
print('1..%d' % len(steps))
sys.exit(failed > 0)
