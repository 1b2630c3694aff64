# SPDX-License-Identifier: Apache-2.0
# ruby.rb SCENARIO EXTENSION DATABASE -- with the gem sqlite3.
require 'sqlite3'

scenario, extension, $database = ARGV
$extension = extension

def connect
  db = SQLite3::Database.new($database)
  db.enable_load_extension(true)
  db.load_extension($extension)
  db
end

def value(token)
  text = token[2..]
  case token[0]
  when 'n' then nil
  when 'i' then Integer(text)
  when 'r' then Float(text)
  when 't' then text
  when 'b' then SQLite3::Blob.new([text].pack('H*'))
  end
end

def run(db, sql, tokens)
  statement = db.prepare(sql)
  tokens.each_with_index { |t, i| statement.bind_param("p#{i + 1}", value(t)) }
  rows = []
  statement.each { |row| rows << row.to_a }
  rows
ensure
  statement&.close
end

# A blob comes as a String of bytes, a text as one of characters.
def same(got, want)
  got.class.ancestors.include?(want.is_a?(SQLite3::Blob) ? String : want.class) &&
    (want.is_a?(SQLite3::Blob) ? got.encoding == Encoding::BINARY && got.bytes == want.bytes : got == want)
end

steps = []
File.foreach(scenario, encoding: 'UTF-8') do |line|
  fields = line.chomp.split("\t", -1)
  next if line.start_with?('#') || line.strip.empty?

  if fields[0] == 'row' then steps.last[1] << fields[1..].map { |t| value(t) }
  else steps << [fields, []]
  end
end
connections = {}
failed = 0
steps.each_with_index do |((what, name, sql, *rest), rows), n|
  note = nil
  begin
    case what
    when 'open' then connections[name] = connect
    when 'close' then connections.delete(name).close
    when 'fail'
      begin
        run(connections[name], sql, [])
        note = 'it did not fail'
      rescue SQLite3::Exception => e
        note = e.message unless e.message.include?(rest[0])
      end
    else
      got = run(connections[name], sql, rest)
      right = got.size == rows.size && got.zip(rows).all? do |g, w|
        g.size == w.size && g.zip(w).all? { |a, b| same(a, b) }
      end
      note = "got #{got.inspect}, wanted #{rows.inspect}" if what == 'ask' && !right
    end
  rescue SQLite3::Exception => e
    note = e.message
  end
  failed += 1 if note
  puts "#{'not ' if note}ok #{n + 1} - #{what} #{sql || name}"
  puts "# #{note}" if note
end
puts "1..#{steps.size}"
exit failed.zero?
