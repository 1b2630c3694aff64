// SPDX-License-Identifier: Apache-2.0
// java -cp sqlite-jdbc.jar Client.java SCENARIO EXTENSION DATABASE -- with Xerial's JDBC.
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.util.*;

public class Client {
    static String extension, database;

    static Connection connect() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("enable_load_extension", "true");
        Connection db = DriverManager.getConnection("jdbc:sqlite:" + database, properties);
        try (Statement s = db.createStatement()) {
            s.execute("SELECT load_extension('" + extension + "')");
        }
        return db;
    }

    static byte[] bytes(String hex) {
        byte[] out = new byte[hex.length() / 2];
        for (int i = 0; i < out.length; i++)
            out[i] = (byte)Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return out;
    }

    static void bind(PreparedStatement s, int at, String token) throws SQLException {
        String text = token.substring(2);
        switch (token.charAt(0)) {
        case 'n': s.setNull(at, Types.NULL); break;
        case 'i': s.setLong(at, Long.parseLong(text)); break;
        case 'r': s.setDouble(at, Double.parseDouble(text)); break;
        case 't': s.setString(at, text); break;
        default: s.setBytes(at, bytes(text));
        }
    }

    // null: the column is as wanted; a text that says what it is instead.
    static String differs(ResultSet r, int at, String token) throws SQLException {
        String text = token.substring(2);
        Object got = r.getObject(at);
        boolean same;
        switch (token.charAt(0)) {
        case 'n': same = got == null; break;
        case 'i': same = got instanceof Number && !(got instanceof Double) && r.getLong(at) == Long.parseLong(text); break;
        case 'r': same = got instanceof Double && (Double)got == Double.parseDouble(text); break;
        case 't': same = got instanceof String && got.equals(text); break;
        default: same = got instanceof byte[] && Arrays.equals((byte[])got, bytes(text));
        }
        return same ? null : got + ", wanted " + token;
    }

    static String run(Connection db, String sql, List<String> tokens, List<String[]> want) throws SQLException {
        try (PreparedStatement s = db.prepareStatement(sql)) {
            for (int i = 0; i < tokens.size(); i++)
                bind(s, i + 1, tokens.get(i));
            if (!s.execute())
                return null;
            try (ResultSet r = s.getResultSet()) {
                int n = 0;
                for (; r.next(); n++) {
                    if (want == null)
                        continue;
                    if (n == want.size())
                        return "more rows than wanted";
                    String[] row = want.get(n);
                    if (r.getMetaData().getColumnCount() != row.length - 1)
                        return "another number of columns";
                    for (int i = 1; i < row.length; i++) {
                        String note = differs(r, i, row[i]);
                        if (note != null)
                            return "row " + (n + 1) + ": " + note;
                    }
                }
                return want != null && n < want.size() ? "fewer rows than wanted" : null;
            }
        }
    }

    public static void main(String[] argv) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        extension = argv[1];
        database = argv[2];
        List<String[]> steps = new ArrayList<>();
        List<List<String[]>> rows = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(argv[0]), StandardCharsets.UTF_8)) {
            if (line.isEmpty() || line.startsWith("#"))
                continue;
            String[] fields = line.split("\t", -1);
            if (fields[0].equals("row")) {
                rows.get(rows.size() - 1).add(fields);
            } else {
                steps.add(fields);
                rows.add(new ArrayList<>());
            }
        }
        Map<String, Connection> connections = new HashMap<>();
        int failed = 0;
        for (int n = 0; n < steps.size(); n++) {
            String[] f = steps.get(n);
            String note = null;
            try {
                if (f[0].equals("open")) {
                    connections.put(f[1], connect());
                } else if (f[0].equals("close")) {
                    connections.remove(f[1]).close();
                } else if (f[0].equals("fail")) {
                    note = "it did not fail";
                    try {
                        run(connections.get(f[1]), f[2], List.of(), null);
                    } catch (SQLException e) {
                        note = e.getMessage().contains(f[3]) ? null : e.getMessage();
                    }
                } else {
                    List<String> tokens = Arrays.asList(f).subList(3, f.length);
                    note = run(connections.get(f[1]), f[2], tokens, f[0].equals("ask") ? rows.get(n) : null);
                }
            } catch (SQLException e) {
                note = e.getMessage();
            }
            failed += note != null ? 1 : 0;
            out.println((note != null ? "not " : "") + "ok " + (n + 1) + " - " + f[0] + " " + (f.length > 2 ? f[2] : f[1]));
            if (note != null)
                out.println("# " + note);
        }
        out.println("1.." + steps.size());
        System.exit(failed > 0 ? 1 : 0);
    }
}
