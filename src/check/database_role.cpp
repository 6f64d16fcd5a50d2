// SPDX-License-Identifier: MIT
#include "check/database_role.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "check/words.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

/// The role that sql/grants.sql makes.
constexpr const char* kGrantedRole = "kheops_webhooks";

/// Runs with the search path of the role; therefore all names have their schema.
constexpr Statement kSession = {"check_session", R"SQL(
SELECT pg_catalog.quote_ident(current_user::pg_catalog.text),
       pg_catalog.quote_ident(pg_catalog.current_database()::pg_catalog.text),
       pg_catalog.current_schemas(false)::pg_catalog.text,
       ARRAY[pg_catalog.to_regclass('users')::pg_catalog.oid,
             pg_catalog.to_regclass('albums')::pg_catalog.oid,
             pg_catalog.to_regclass('album_user')::pg_catalog.oid,
             pg_catalog.to_regclass('webhooks')::pg_catalog.oid,
             pg_catalog.to_regclass('webhook_triggers')::pg_catalog.oid,
             pg_catalog.to_regclass('webhook_attempts')::pg_catalog.oid]::pg_catalog.text
)SQL"};

/// The columns are those of sql/list_webhooks.sql, in the order of Session::tables.
constexpr Statement kNeeded = {"check_needed", R"SQL(
WITH needed (place, name, columns) AS (VALUES
    (1, 'users', '{pk,sub,inbox_fk}'::text[]),
    (2, 'albums', '{pk,id}'),
    (3, 'album_user', '{pk,album_fk,user_fk,admin}'),
    (4, 'webhooks', '{pk,id,name,url,enabled,creation_time,new_series,new_user,remove_series,delete_album,album_fk,secret}'),
    (5, 'webhook_triggers', '{pk,id,webhook_fk}'),
    (6, 'webhook_attempts', '{webhook_trigger_fk,status}'))
SELECT n.name,
       c.oid IS NOT NULL,
       coalesce(quote_ident(s.nspname) || '.' || quote_ident(c.relname), n.name),
       ARRAY(SELECT m.name FROM unnest(n.columns) WITH ORDINALITY AS m (name, place)
             WHERE c.oid IS NOT NULL AND m.name NOT IN (
                 SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped)
             ORDER BY m.place),
       ARRAY(SELECT attname::text FROM pg_attribute
             WHERE attrelid = c.oid AND attname = ANY (n.columns) AND NOT attisdropped
               AND NOT has_column_privilege(c.oid, attnum, 'SELECT')
             ORDER BY attnum),
       coalesce(row_security_active(c.oid), false),
       elsewhere.schema,
       elsewhere.usable
FROM needed AS n
LEFT JOIN pg_class AS c ON c.oid = ($1::oid[])[n.place]
LEFT JOIN pg_namespace AS s ON s.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT quote_ident(e.nspname) AS schema, has_schema_privilege(e.oid, 'USAGE') AS usable
    FROM pg_class AS r JOIN pg_namespace AS e ON e.oid = r.relnamespace
    WHERE c.oid IS NULL AND r.relname = n.name AND r.relkind IN ('r', 'p')
    ORDER BY e.nspname <> 'public', e.nspname LIMIT 1
) AS elsewhere ON true
ORDER BY n.place
)SQL"};

constexpr Statement kExcess = {"check_excess", R"SQL(
WITH kheops AS (
    SELECT c.oid, c.relname, c.relowner
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p')
      AND c.relnamespace = (SELECT u.relnamespace FROM pg_class AS u WHERE u.oid = ($1::oid[])[1])
),
readable AS (
    SELECT k.relname || '.' || a.attname AS name
    FROM kheops AS k JOIN pg_attribute AS a ON a.attrelid = k.oid
    WHERE has_column_privilege(k.oid, a.attnum, 'SELECT')
)
SELECT ARRAY(SELECT name FROM readable
             WHERE name IN ('webhooks.secret', 'capabilities.secret') ORDER BY 1),
       ARRAY(SELECT name FROM readable
             WHERE name IN ('users.email', 'users.name', 'studies.patient_name',
                            'studies.patient_id') ORDER BY 1),
       ARRAY(SELECT relname::text FROM kheops
             WHERE has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                OR has_any_column_privilege(oid, 'INSERT, UPDATE')
                OR pg_has_role(relowner, 'USAGE')
             ORDER BY relname),
       ARRAY(SELECT a.name FROM (VALUES (r.rolsuper, 'SUPERUSER'), (r.rolcreaterole, 'CREATEROLE'),
                                        (r.rolcreatedb, 'CREATEDB'), (r.rolreplication, 'REPLICATION'),
                                        (r.rolbypassrls, 'BYPASSRLS')) AS a (has, name)
             WHERE a.has),
       ARRAY(SELECT quote_ident(pg_get_userbyid(m.roleid)) FROM pg_auth_members AS m
             WHERE m.member = r.oid ORDER BY 1)
FROM pg_roles AS r
WHERE r.rolname = current_user
)SQL"};

/// The owners of the tables, the schema and the database need no such right to do worse.
constexpr Statement kCreators = {"check_creators", R"SQL(
SELECT quote_ident(n.nspname),
       array_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC'
                                         ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS g
WHERE n.nspname = ANY ($1::name[])
  AND g.privilege_type = 'CREATE'
  AND g.grantee <> n.nspowner
  AND g.grantee NOT IN (SELECT relowner FROM pg_class WHERE oid = ANY ($2::oid[])
                        UNION ALL
                        SELECT datdba FROM pg_database WHERE datname = current_database()
                        UNION ALL
                        SELECT oid FROM pg_roles WHERE rolsuper OR rolname = 'pg_database_owner')
GROUP BY n.nspname
ORDER BY array_position($1::name[], n.nspname)
)SQL"};

/// The sessions of a running worker are not counted: they are those that the threads need.
constexpr Statement kConnections = {"check_connections", R"SQL(
WITH own AS (
    SELECT oid, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = session_user
),
others AS (
    SELECT a.datid, a.usesysid
    FROM pg_stat_activity AS a, own
    WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL
      AND (a.usesysid <> own.oid OR a.datname <> current_database()
           OR a.application_name <> current_setting('application_name'))
)
SELECT CASE WHEN NOT rolsuper AND rolconnlimit >= 0 THEN rolconnlimit::bigint END,
       (SELECT count(*) FROM others WHERE usesysid = own.oid),
       CASE WHEN NOT rolsuper AND d.datconnlimit >= 0 THEN d.datconnlimit::bigint END,
       (SELECT count(*) FROM others WHERE datid = d.oid),
       current_setting('max_connections')::bigint
           - CASE WHEN rolsuper THEN 0
                  ELSE current_setting('superuser_reserved_connections')::bigint
                       + coalesce(current_setting('reserved_connections', true)::bigint, 0) END,
       (SELECT count(*) FROM others)
FROM own, pg_database AS d
WHERE d.datname = current_database()
)SQL"};

std::string grants_command(const Session& session) {
    return "psql -v ON_ERROR_STOP=1 -d " + session.database + " -f sql/grants.sql";
}

/// One of the six tables, as the role finds it.
struct Table {
    std::string name;
    bool is_found = false;
    std::string qualified;                ///< with its schema
    std::vector<std::string> missing;     ///< columns
    std::vector<std::string> unreadable;  ///< columns
    bool hides_rows = false;              ///< by row level security
    /// Where a table of this name is that the search path does not find; empty if nowhere.
    std::string elsewhere;
    bool is_usable_elsewhere = false;
};

Finding missing_tables(const std::vector<std::string>& tables, const Session& session) {
    return {Grade::problem,
            "role " + session.role + ": missing in database " + session.database + ": table " +
                enumeration(tables),
            "name the database of Kheops (dbname= in KHEOPS_WEBHOOKS_DATABASE, or "
            "KHEOPS_AUTHDB_NAME), or start Kheops, which makes its tables"};
}

Finding table_elsewhere(const Table& table, const Session& session) {
    const std::string found =
        "role " + session.role + ": table " + table.name + " is in schema " + table.elsewhere;
    const std::string run_grants = "run " + grants_command(session);
    if (!table.is_usable_elsewhere) {
        return {Grade::problem, found + ", which the role may not use",
                session.role == kGrantedRole
                    ? run_grants
                    : "run GRANT USAGE ON SCHEMA " + table.elsewhere + " TO " + session.role};
    }
    return {Grade::problem, found + ", which its search_path does not name",
            session.role == kGrantedRole
                ? run_grants
                : "run ALTER ROLE " + session.role + " IN DATABASE " + session.database +
                      " SET search_path = " + table.elsewhere + ", pg_temp"};
}

Finding missing_columns(const Table& table, const Session& session) {
    const bool in_view = table.qualified == "kheops_webhooks.webhooks";
    return {Grade::problem,
            "role " + session.role + ": " + table.qualified + " has no column " +
                enumeration(table.missing),
            in_view ? "run " + grants_command(session)
                    : "upgrade Kheops: its last release makes the column when it starts"};
}

Finding missing_rights(const Table& table, const Session& session) {
    const std::string columns = enumeration(table.unreadable);
    return {Grade::problem,
            "role " + session.role + " may not read " + columns + " of " + table.qualified,
            session.role == kGrantedRole
                ? "run " + grants_command(session)
                : "run GRANT SELECT (" + columns + ") ON " + table.qualified + " TO " +
                      session.role + ", or connect as the role that sql/grants.sql makes"};
}

/// Returns what to do about a role that may do more than the list needs.
std::string less_rights(const Session& session) {
    if (session.role != kGrantedRole) {
        return "run " + grants_command(session) +
               ", and connect as the role that it makes (user=kheops_webhooks)";
    }
    return "run REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kheops_webhooks, PUBLIC, then " +
           grants_command(session);
}

/// A limit of connections.
struct ConnectionLimit {
    std::string of;
    std::optional<std::int64_t> limit;  ///< std::nullopt: none
    std::int64_t others;                ///< in use now, but not by this worker
    std::string raised_by;              ///< the SQL or setting that ends in the number

    [[nodiscard]] std::string described() const {
        return of + " " + (limit ? std::to_string(*limit) : "no limit") + " (" +
               std::to_string(others) + " in use by others)";
    }
};

Finding too_few_connections(const ConnectionLimit& each, unsigned threads) {
    const std::int64_t left = std::max<std::int64_t>(0, *each.limit - each.others);
    const std::string fewer =
        left > 0 ? ", or set KHEOPS_WEBHOOKS_THREADS=" + std::to_string(left) : "";
    return {Grade::warning,
            "connections: " + each.described() + ": fewer than the " + std::to_string(threads) +
                " that the worker's threads can use; requests will wait for one",
            each.raised_by + std::to_string(each.others + threads) + fewer};
}

}  // namespace

Session read_session(Catalog& catalog) {
    Session session;
    catalog.connection().run(kSession, {}, catalog.deadline(), [&](const Result& result) {
        enum Column : int { kRole, kDatabase, kSchemas, kTables };
        session = {.role = result.text(0, kRole),
                   .database = result.text(0, kDatabase),
                   .schemas = result.text(0, kSchemas),
                   .tables = result.text(0, kTables)};
    });
    return session;
}

bool check_needed_rights(Catalog& catalog, const Session& session, const Report& report) {
    std::vector<Table> tables;
    catalog.read(kNeeded, {session.tables}, [&](const Result& result) {
        enum Column : int {
            kName,
            kFound,
            kQualified,
            kMissing,
            kUnreadable,
            kHidesRows,
            kElsewhere,
            kUsable
        };
        for (int row = 0; row < result.rows(); ++row) {
            tables.push_back(
                {.name = result.text(row, kName),
                 .is_found = result.boolean(row, kFound),
                 .qualified = result.text(row, kQualified),
                 .missing = result.text_array(row, kMissing),
                 .unreadable = result.text_array(row, kUnreadable),
                 .hides_rows = result.boolean(row, kHidesRows),
                 .elsewhere = result.is_null(row, kElsewhere) ? "" : result.text(row, kElsewhere),
                 .is_usable_elsewhere =
                     !result.is_null(row, kUsable) && result.boolean(row, kUsable)});
        }
    });
    bool has_all = true;
    const auto lacks = [&](const Finding& finding) {
        report(finding);
        has_all = false;
    };
    std::vector<std::string> missing;
    for (const Table& table : tables) {
        if (!table.is_found && table.elsewhere.empty()) {
            missing.push_back(table.name);
        }
    }
    if (!missing.empty()) {
        lacks(missing_tables(missing, session));
    }
    for (const Table& table : tables) {
        if (!table.elsewhere.empty()) {
            lacks(table_elsewhere(table, session));
        }
        if (!table.missing.empty()) {
            lacks(missing_columns(table, session));
        }
        if (!table.unreadable.empty()) {
            lacks(missing_rights(table, session));
        }
        if (table.hides_rows) {
            report({Grade::warning,
                    "role " + session.role + ": row level security may hide rows of " +
                        table.qualified + " from it, and so from the list",
                    "run CREATE POLICY kheops_webhooks ON " + table.qualified + " FOR SELECT TO " +
                        session.role + " USING (true)"});
        }
    }
    if (has_all) {
        report({Grade::ok, "role " + session.role + ": may read all that the list needs", ""});
    }
    return has_all;
}

void check_excess_rights(Catalog& catalog, const Session& session, const Report& report) {
    if (session.tables.starts_with("{NULL")) {
        return;  // the schema of Kheops is not known
    }
    std::vector<std::string> secrets;
    std::vector<std::string> personal;
    std::vector<std::string> writable;
    std::vector<std::string> attributes;
    std::vector<std::string> memberships;
    catalog.read(kExcess, {session.tables}, [&](const Result& result) {
        enum Column : int { kSecrets, kPersonal, kWritable, kAttributes, kMemberships };
        Result::expect(result.rows() == 1, "a role");
        secrets = result.text_array(0, kSecrets);
        personal = result.text_array(0, kPersonal);
        writable = result.text_array(0, kWritable);
        attributes = result.text_array(0, kAttributes);
        memberships = result.text_array(0, kMemberships);
    });
    const std::string role = "role " + session.role;
    bool is_reader = true;
    const auto warn = [&](const std::vector<std::string>& excess, const std::string& found,
                          const std::string& remedy) {
        if (!excess.empty()) {
            report({Grade::warning, role + found + enumeration(excess), remedy});
            is_reader = false;
        }
    };
    std::string fewer_attributes = "run ALTER ROLE " + session.role;
    for (const std::string& attribute : attributes) {
        fewer_attributes.append(" NO").append(attribute);
    }
    warn(secrets, " may read secrets: ", less_rights(session));
    warn(personal, " may read personal data that the list does not need: ", less_rights(session));
    warn(writable, " may write: ", less_rights(session));
    warn(attributes, " is more than a reader: ",
         session.role == kGrantedRole ? fewer_attributes : less_rights(session));
    warn(memberships, " is a member of roles and may do what they may: ",
         "run REVOKE " + enumeration(memberships) + " FROM " + session.role);
    if (is_reader) {
        report(
            {Grade::ok, role + ": may read no secrets and no e-mail addresses, and not write", ""});
    }
}

void check_search_path(Catalog& catalog, const Session& session, const Report& report) {
    struct OpenSchema {
        std::string name;
        std::string creators;
    };
    std::vector<OpenSchema> open;
    catalog.read(kCreators, {session.schemas, session.tables}, [&](const Result& result) {
        enum Column : int { kSchema, kRoles };
        for (int row = 0; row < result.rows(); ++row) {
            open.push_back(
                {result.text(row, kSchema), enumeration(result.text_array(row, kRoles))});
        }
    });
    for (const OpenSchema& schema : open) {
        report({Grade::warning,
                "search_path: in schema " + schema.name +
                    ", others may create objects that are taken for those of Kheops or PostgreSQL "
                    "(CVE-2018-1058): " +
                    schema.creators,
                "run REVOKE CREATE ON SCHEMA " + schema.name + " FROM " + schema.creators});
    }
    if (open.empty()) {
        report({Grade::ok, "search_path: others may create nothing in its schemas", ""});
    }
}

void check_connections(Catalog& catalog, const Session& session, unsigned threads,
                       const Report& report) {
    std::vector<ConnectionLimit> limits;
    catalog.read(kConnections, {}, [&](const Result& result) {
        Result::expect(result.rows() == 1, "limits of connections");
        const auto limit = [&](int column) {
            return result.is_null(0, column) ? std::nullopt
                                             : std::optional(result.count(0, column));
        };
        enum Column : int {
            kRoleLimit,
            kRoleUse,
            kDatabaseLimit,
            kDatabaseUse,
            kServerLimit,
            kServerUse
        };
        limits = {
            {"role " + session.role, limit(kRoleLimit), result.count(0, kRoleUse),
             "run ALTER ROLE " + session.role + " CONNECTION LIMIT "},
            {"database " + session.database, limit(kDatabaseLimit), result.count(0, kDatabaseUse),
             "run ALTER DATABASE " + session.database + " CONNECTION LIMIT "},
            {"server", limit(kServerLimit), result.count(0, kServerUse),
             "raise max_connections in postgresql.conf so that those who are no superusers "
             "have "}};
    });
    bool is_enough = true;
    std::vector<std::string> described;
    for (const ConnectionLimit& each : limits) {
        described.push_back(each.described());
        if (each.limit && *each.limit - each.others < static_cast<std::int64_t>(threads)) {
            report(too_few_connections(each, threads));
            is_enough = false;
        }
    }
    if (is_enough) {
        report({Grade::ok,
                "connections: enough for " + std::to_string(threads) +
                    " threads: " + enumeration(described),
                ""});
    }
}

}  // namespace kheops
