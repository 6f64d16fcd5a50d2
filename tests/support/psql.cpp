// SPDX-License-Identifier: MIT
#include "support/psql.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <array>
#include <cstdio>

namespace kheops::test {

namespace {

/// One row for each object that is not PostgreSQL's own. Used instead of pg_dump, which rejects a
/// server newer than itself.
constexpr const char* kObjects = R"(
WITH schemas AS (
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
relations AS (
    SELECT c.* FROM pg_class AS c JOIN schemas AS s ON s.oid = c.relnamespace
),
objects (catalog, oid, part, owner, rights, definition) AS (
    SELECT 'pg_database'::regclass, oid, 0, datdba, coalesce(datacl, acldefault('d', datdba)),
           concat_ws(' ', encoding, datcollate, datctype, datconnlimit, datallowconn)
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspowner, coalesce(nspacl, acldefault('n', nspowner)), ''
    FROM schemas
    UNION ALL
    SELECT 'pg_class'::regclass, oid, 0, relowner,
           coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)),
           concat_ws(' ', relkind, relpersistence, relispopulated, relrowsecurity, relforcerowsecurity,
                     relreplident, relispartition, reloptions,
                     CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid)
                          WHEN relkind IN ('i', 'I') THEN pg_get_indexdef(oid) END)
    FROM relations
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, 0, a.attacl,
           concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                     a.attgenerated, a.attstorage,
                     -- PostgreSQL 17.12 sets pg_attver itself, to another value in each new table.
                     array_to_string(ARRAY(SELECT o FROM unnest(a.attoptions) AS o
                                           WHERE o NOT LIKE 'pg_attver=%' ORDER BY o), ','),
                     pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute AS a
    JOIN relations AS c ON c.oid = a.attrelid AND c.relkind NOT IN ('i', 'I', 'S')
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_constraint'::regclass, c.oid, 0, 0, NULL,
           concat_ws(' ', c.convalidated, pg_get_constraintdef(c.oid))
    FROM pg_constraint AS c JOIN schemas AS s ON s.oid = c.connamespace
    UNION ALL
    SELECT 'pg_trigger'::regclass, oid, 0, 0, NULL, concat_ws(' ', tgenabled, pg_get_triggerdef(oid))
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'pg_rewrite'::regclass, r.oid, 0, 0, NULL, concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid))
    FROM pg_rewrite AS r JOIN relations AS c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'pg_policy'::regclass, oid, 0, 0, NULL,
           concat_ws(' ', polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, e.oid, 0, e.stxowner, NULL, pg_get_statisticsobjdef(e.oid)
    FROM pg_statistic_ext AS e JOIN schemas AS s ON s.oid = e.stxnamespace
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)),
           CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END
    FROM pg_proc AS p JOIN schemas AS s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_operator'::regclass, o.oid, 0, o.oprowner, NULL, o.oprcode::text
    FROM pg_operator AS o JOIN schemas AS s ON s.oid = o.oprnamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)),
           concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault)
    FROM pg_type AS t JOIN schemas AS s ON s.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, oid, 0, evtowner, NULL,
           concat_ws(' ', evtevent, evtenabled, evtfoid::regprocedure, evttags)
    FROM pg_event_trigger
    UNION ALL
    SELECT 'pg_publication'::regclass, p.oid, 0, p.pubowner, NULL,
           concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
                     (SELECT string_agg(prrelid::regclass::text, ' ' ORDER BY prrelid)
                      FROM pg_publication_rel WHERE prpubid = p.oid))
    FROM pg_publication AS p
    UNION ALL
    SELECT 'pg_default_acl'::regclass, oid, 0, defaclrole, defaclacl, '' FROM pg_default_acl
    UNION ALL
    SELECT 'pg_extension'::regclass, oid, 0, extowner, NULL, extversion FROM pg_extension
)
SELECT concat_ws(E'\n    ', pg_describe_object(catalog, oid, part),
                 'owner ' || nullif(owner, 0)::regrole,
                 'rights ' || (SELECT string_agg(r::text, ', ' ORDER BY r::text) FROM unnest(rights) AS r),
                 'is ' || definition,
                 'comment ' || CASE part WHEN 0 THEN obj_description(oid, catalog::name)
                                         ELSE col_description(oid, part) END)
FROM objects
UNION ALL
SELECT format('settings of role %s: %s', nullif(setrole, 0)::regrole, setconfig)
FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1)";

}  // namespace

Outcome run(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) {
        throw std::runtime_error("cannot run " + command);
    }
    Outcome outcome{};
    std::array<char, 4096> buffer{};
    for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        outcome.output.append(buffer.data(), n);
    }
    outcome.status = WEXITSTATUS(pclose(pipe));
    return outcome;
}

std::string client_command(const std::string& program, const TestDatabase& database,
                           const std::string& user) {
    return program + " -h '" + database.host() + "' -p 5432 -U " + user + " -d " + database.name();
}

Outcome run_script(const std::string& file, const TestDatabase& database, const std::string& user) {
    return run(client_command("psql", database, user) + " -X -v ON_ERROR_STOP=1 -f '" +
               KHEOPS_SOURCE_DIR + "/" + file + "'");
}

void expect_script(const std::string& file, const TestDatabase& database,
                   const std::string& expected, const std::string& user) {
    const Outcome outcome = run_script(file, database, user);
    EXPECT_EQ(outcome.status, 0) << file << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(expected), std::string::npos) << file << "\n" << outcome.output;
    EXPECT_EQ(outcome.output.find("WARNING"), std::string::npos) << file << "\n" << outcome.output;
}

void expect_refused(const std::string& file, const TestDatabase& database,
                    const std::string& reason, const std::string& user) {
    const Outcome outcome = run_script(file, database, user);
    EXPECT_EQ(outcome.status, 3) << file << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(reason), std::string::npos) << file << "\n" << outcome.output;
}

bool can_dump(const TestDatabase& database) {
    return run(client_command("pg_dump -s", database)).output.find("server version mismatch") ==
           std::string::npos;
}

std::string describe(const TestDatabase& database) {
    TestConnection connection(database.conninfo());
    // PostgreSQL then writes every name with its schema.
    connection.execute("SET search_path = pg_catalog");
    return connection.execute(kObjects).dump();
}

}  // namespace kheops::test
