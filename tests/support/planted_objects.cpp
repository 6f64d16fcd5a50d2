// SPDX-License-Identifier: MIT
#include "support/planted_objects.hpp"

#include <array>

#include "support/files.hpp"

namespace kheops::test {

namespace {

constexpr std::array kFiles = {
    "sql/list_webhooks.sql",
    "sql/list_webhooks_accelerated.sql.in",
    "sql/accelerate.sql",
    "sql/accelerate-undo.sql",
    "sql/grants.sql",
    "sql/grants-undo.sql",
    "src/database/connect.cpp",  // the statement that sets a session up
    "src/check/database_role.cpp",
};

/// Creates operators and functions with the names that `source` uses and with their usual result
/// type, for each combination of two argument types and, with fewer types, of three.
constexpr const char* kPlant = R"(
CREATE PROCEDURE pg_temp.plant(place pg_catalog.text, source pg_catalog.text) LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $plant$
DECLARE
    types constant text[] := ARRAY['text', 'varchar', 'bpchar', 'name', 'char', 'int2', 'int4',
        'int8', 'numeric', 'bool', 'oid', 'regclass', 'regnamespace', 'regrole', 'tid', 'xid',
        'timestamp', '_text', '_varchar', '_name', '_char', '_tid', 'anyelement', 'anyarray'];
    few constant text[] := ARRAY['text', 'name', 'int4', 'int8', 'bool'];
    alarm constant text := format('AS %L', format('BEGIN RAISE EXCEPTION %L; END', 'planted in ' || place));
    object record;
BEGIN
    IF place <> 'pg_temp' THEN
        FOR object IN
            WITH calls (name) AS (
                SELECT DISTINCT call.parts[1]
                FROM regexp_matches(source, '([a-z_]+)\s*[(]', 'g') AS call (parts)
            ),
            functions AS (
                SELECT p.proname, mode() WITHIN GROUP (ORDER BY
                           CASE t.typtype WHEN 'b' THEN t.typname ELSE 'text' END) AS result,
                       array_agg(p.pronargs::integer) || CASE WHEN bool_or(p.provariadic <> 0) THEN 3 END AS counts
                FROM calls JOIN pg_proc AS p ON p.proname = calls.name
                JOIN pg_type AS t ON t.oid = p.prorettype
                WHERE p.pronamespace = 'pg_catalog'::regnamespace
                  AND (p.prokind <> 'a' OR p.pronargs > 0) -- count(*) is created below
                GROUP BY p.proname
                UNION ALL
                -- The operators below call these.
                SELECT 'planted_' || result, result, ARRAY[1, 2]
                FROM unnest(ARRAY['bool', 'int8', 'text']) AS result
            ),
            arguments AS (
                SELECT 0 AS count, '' AS list
                UNION ALL SELECT 1, format('pg_catalog.%I', a) FROM unnest(types) AS a
                UNION ALL SELECT 2, format('pg_catalog.%I, pg_catalog.%I', a, b)
                          FROM unnest(types) AS a, unnest(types) AS b
                UNION ALL SELECT 3, format('pg_catalog.%I, pg_catalog.%I, pg_catalog.%I', a, b, c)
                          FROM unnest(few) AS a, unnest(few) AS b, unnest(few) AS c
            )
            SELECT f.proname, f.result, a.list
            FROM functions AS f JOIN arguments AS a ON a.count = ANY (f.counts)
        LOOP
            EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS pg_catalog.%I LANGUAGE plpgsql ',
                           place, object.proname, object.list, object.result) || alarm;
        END LOOP;
        EXECUTE format('CREATE AGGREGATE %I.count(*) (SFUNC = %1$I.planted_int8, STYPE = pg_catalog.int8)',
                       place);
        FOR object IN
            WITH operators AS (
                SELECT o.oprname, o.oprkind,
                       CASE WHEN bool_or(o.oprresult = 'bool'::regtype) THEN 'bool'
                            WHEN bool_or(o.oprresult = 'text'::regtype) THEN 'text'
                            ELSE 'int8' END AS result
                FROM pg_operator AS o
                WHERE o.oprkind IN ('b', 'l')
                  AND (position(o.oprname::text IN source) > 0 OR o.oprname IN ('=', '<=', '>=', '~~'))
                GROUP BY o.oprname, o.oprkind
            ),
            operands AS (
                SELECT 'l' AS kind, format('RIGHTARG = pg_catalog.%I', a) AS list
                FROM unnest(types) AS a
                UNION ALL
                SELECT 'b', format('LEFTARG = pg_catalog.%I, RIGHTARG = pg_catalog.%I', a, b)
                FROM unnest(types) AS a, unnest(types) AS b
            )
            SELECT o.oprname, o.result, a.list
            FROM operators AS o JOIN operands AS a ON a.kind = o.oprkind::text
        LOOP
            EXECUTE format('CREATE OPERATOR %I.%s (%s, FUNCTION = %1$I.planted_%4$s)',
                           place, object.oprname, object.list, object.result);
        END LOOP;
    END IF;

    EXECUTE format('CREATE FUNCTION %I.planted() RETURNS pg_catalog.bool LANGUAGE plpgsql ', place)
        || alarm;
    FOR object IN
        SELECT DISTINCT c.relname, (
            -- A view cannot have a column of a pseudo-type.
            SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND atttypid <> 'anyarray'::regtype) AS columns
        FROM regexp_matches(source, '(pg_[a-z_]+)', 'g') AS word (parts)
        JOIN pg_class AS c ON c.relname = word.parts[1] AND c.relnamespace = 'pg_catalog'::regnamespace
    LOOP
        EXECUTE format('CREATE VIEW %I.%I AS SELECT %s FROM pg_catalog.%2$I WHERE %1$I.planted()',
                       place, object.relname, object.columns);
        EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', place, object.relname);
    END LOOP;
    FOR object IN SELECT name FROM unnest(types) AS name WHERE name !~ '^(_|any)' LOOP
        EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%2$I CONSTRAINT planted CHECK (false)',
                       place, object.name);
    END LOOP;
END
$plant$)";

}  // namespace

void plant_objects(TestConnection& connection, const std::string& schema) {
    std::string source;
    for (const char* file : kFiles) {
        source += read_source(file);
    }
    connection.execute(kPlant);
    connection.execute("CALL pg_temp.plant($1, $2)", {schema, source});
    connection.execute("DROP PROCEDURE pg_temp.plant");
}

}  // namespace kheops::test
