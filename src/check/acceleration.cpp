// SPDX-License-Identifier: MIT
#include "check/acceleration.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "check/words.hpp"
#include "database/find_webhooks.hpp"

namespace kheops {

namespace {

using Grade = Finding::Grade;

/// The objects that sql/accelerate.sql makes. Names are compared, not looked up: a lookup fails
/// where the role may not use the schema.
constexpr Statement kObjects = {"check_acceleration", R"SQL(
WITH place AS (
    SELECT oid, has_schema_privilege(oid, 'USAGE') AS usable
    FROM pg_namespace WHERE nspname = 'kheops_webhooks_accelerate'
),
triggers AS (
    SELECT t.tgname, t.tgenabled FROM pg_trigger AS t
    WHERE t.tgrelid = ($1::oid[])[5] AND starts_with(t.tgname::text, 'kheops_webhooks_count_')
),
wanted_triggers (name, enabled) AS (VALUES
    ('kheops_webhooks_count_insert', 'A'), ('kheops_webhooks_count_delete', 'A'),
    ('kheops_webhooks_count_update', 'A'), ('kheops_webhooks_count_truncate', 'A'),
    ('kheops_webhooks_count_replicated', 'R')),
index AS (
    SELECT i.indisvalid, i.indoption[0] = 2 AS is_current  -- NULLS FIRST
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = ($1::oid[])[5] AND c.relname = 'kheops_webhooks_newest'
),
functions AS (
    SELECT proname, prosrc FROM pg_proc WHERE pronamespace = (SELECT oid FROM place)
)
SELECT (SELECT count(*) > 0 FROM place) OR (SELECT count(*) > 0 FROM triggers)
           OR (SELECT count(*) > 0 FROM index),
       ARRAY(SELECT 'schema kheops_webhooks_accelerate'
             WHERE NOT EXISTS (SELECT FROM place)
             UNION ALL
             SELECT 'table ' || w.name FROM unnest('{counts,changes,doubts,ready}'::text[]) AS w (name)
             WHERE w.name NOT IN (SELECT relname FROM pg_class
                                  WHERE relnamespace = (SELECT oid FROM place) AND relkind = 'r')
             UNION ALL
             SELECT 'function ' || w.name
             FROM unnest('{fold,fold_now_and_then,count_triggers,doubt_replicated,check_and_repair}'::text[])
                  AS w (name)
             WHERE w.name NOT IN (SELECT proname FROM functions)
             UNION ALL
             SELECT 'trigger ' || w.name FROM wanted_triggers AS w
             WHERE w.name NOT IN (SELECT tgname FROM triggers)
             UNION ALL
             SELECT 'index kheops_webhooks_newest'
             WHERE NOT EXISTS (SELECT FROM index WHERE indisvalid)),
       ARRAY(SELECT t.tgname::text FROM triggers AS t JOIN wanted_triggers AS w ON w.name = t.tgname
             WHERE t.tgenabled::text <> w.enabled ORDER BY 1),
       ARRAY(SELECT DISTINCT prosrc FROM functions),
       coalesce((SELECT usable FROM place), true)
           AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = (SELECT oid FROM place)
                             AND relkind = 'r' AND NOT has_table_privilege(oid, 'SELECT')),
       row_security_active(t.oid),
       quote_ident(pg_get_userbyid(t.relowner)),
       greatest(0, t.reltuples)::bigint,
       (SELECT count(*) = 0 FROM index WHERE NOT is_current)
FROM pg_class AS t
WHERE t.oid = ($1::oid[])[5]
)SQL"};

/// Why the count is not in force, as sql/list_webhooks_accelerated.sql decides it.
constexpr Statement kState = {"check_count", R"SQL(
SELECT count(*) = 1 AND bool_and(r.triggers::oid = ($1::oid[])[5]
                                 AND r.webhook_fk = (SELECT a.attnum FROM pg_attribute AS a
                                                     WHERE a.attrelid = r.triggers
                                                       AND a.attname = 'webhook_fk')),
       count(*) = 1 AND bool_and(r.xmin = r.counted_by),
       count(*) = 1 AND bool_and(5 = (SELECT count(*) FROM pg_trigger AS t
                                      WHERE t.tgrelid = r.triggers AND t.xmin = r.triggers_made_by)),
       (SELECT min(since)::timestamptz(0)::text || ', SQLSTATE ' || min(sqlstate)
        FROM kheops_webhooks_accelerate.doubts)
FROM kheops_webhooks_accelerate.ready AS r
)SQL"};

struct Objects {
    bool are_any = false;
    std::vector<std::string> missing;
    std::vector<std::string> disabled;   ///< triggers
    std::vector<std::string> functions;  ///< their texts
    bool is_index_current = false;       ///< its columns have the order of this version
    bool are_readable = false;
    bool hides_rows = false;    ///< by row level security
    std::string owner;          ///< of webhook_triggers, as an SQL identifier
    std::int64_t triggers = 0;  ///< rows of webhook_triggers, estimated
};

std::optional<Objects> read_objects(Catalog& catalog, const Session& session) {
    std::optional<Objects> objects;
    catalog.read(kObjects, {session.tables}, [&](const Result& result) {
        enum Column : int {
            kAny,
            kMissing,
            kDisabled,
            kFunctions,
            kReadable,
            kHidesRows,
            kOwner,
            kTriggers,
            kIndexCurrent
        };
        if (result.rows() == 1) {
            objects = {.are_any = result.boolean(0, kAny),
                       .missing = result.text_array(0, kMissing),
                       .disabled = result.text_array(0, kDisabled),
                       .functions = result.text_array(0, kFunctions),
                       .is_index_current = result.boolean(0, kIndexCurrent),
                       .are_readable = result.boolean(0, kReadable),
                       .hides_rows = result.boolean(0, kHidesRows),
                       .owner = result.text(0, kOwner),
                       .triggers = result.count(0, kTriggers)};
        }
    });
    return objects;
}

/// Whether the index and each function in the database are those of this program's accelerate.sql.
bool is_this_version(const Objects& objects) {
    const std::string_view file = kAccelerateSql;
    return objects.is_index_current &&
           std::all_of(objects.functions.begin(), objects.functions.end(),
                       [&](const std::string& text) {
                           return file.find("AS $$" + text + "$$;") != std::string_view::npos;
                       });
}

/// Returns what is wrong with the count; empty if nothing is.
std::vector<std::string> reasons_of(Catalog& catalog, const Session& session) {
    std::vector<std::string> reasons;
    catalog.read(kState, {session.tables}, [&](const Result& result) {
        enum Column : int { kSameColumn, kSameRow, kSameTriggers, kDoubt };
        if (!result.is_null(0, kDoubt)) {
            reasons.push_back("changes were not counted (table doubts: " + result.text(0, kDoubt) +
                              ")");
        }
        if (!result.boolean(0, kSameColumn)) {
            reasons.emplace_back(
                "another table or column was counted than webhook_triggers has now");
        }
        if (!result.boolean(0, kSameRow)) {
            reasons.emplace_back("the count was restored from a dump or upgraded");
        }
        if (!result.boolean(0, kSameTriggers)) {
            reasons.emplace_back(
                "a trigger was disabled, altered or restored since the count was made");
        }
    });
    return reasons;
}

Finding finding_of(Catalog& catalog, const Session& session, const Objects& objects,
                   std::int64_t count) {
    const std::string label = "accelerate.sql: ";
    const std::string run_again = "run, on the primary, psql -v ON_ERROR_STOP=1 -d " +
                                  session.database + " -f sql/accelerate.sql";
    if (!objects.are_any) {
        return {Grade::ok,
                label +
                    "not installed; it is worth it once a webhook has fired some thousand "
                    "times (webhook_triggers has about " +
                    std::to_string(objects.triggers) + " rows)",
                ""};
    }
    const bool is_current = is_this_version(objects);
    const auto not_in_force = [&](const std::string& found) {
        return Finding{Grade::problem,
                       label + found + (is_current ? "" : "; of another version than this program"),
                       run_again};
    };
    if (!objects.missing.empty()) {
        return not_in_force("half installed: missing " + enumeration(objects.missing));
    }
    if (!objects.disabled.empty()) {
        return not_in_force("not in force: disabled: trigger " + enumeration(objects.disabled));
    }
    if (!objects.are_readable) {
        return {Grade::problem,
                label + "not in force: role " + session.role + " may not read its tables",
                "run GRANT USAGE ON SCHEMA kheops_webhooks_accelerate TO PUBLIC; GRANT SELECT ON "
                "ALL TABLES IN SCHEMA kheops_webhooks_accelerate TO PUBLIC"};
    }
    if (objects.hides_rows) {
        return {Grade::warning,
                label + "not in force for role " + session.role +
                    ": row level security may hide triggers from it",
                "run ALTER TABLE webhook_triggers DISABLE ROW LEVEL SECURITY; with it, the worker "
                "counts for each request"};
    }
    std::string reason;
    try {
        reason = enumeration(reasons_of(catalog, session));
        // The worker uses the count only if both statements report it.
        if (reason.empty() &&
            (count == 0 || try_statement(catalog.connection(), kListWebhooksAccelerated,
                                         catalog.deadline()) != count)) {
            reason = "the statement of the list does not find it";
        }
    } catch (const DatabaseError& error) {
        if (error.kind() != DatabaseError::Kind::statement_failed) {
            throw;
        }
        reason = in_words(error);
    }
    if (!reason.empty()) {
        return not_in_force("not in force: " + reason);
    }
    if (!is_current) {
        return {Grade::warning, label + "in force, but of another version than this program",
                run_again};
    }
    return {Grade::ok,
            label +
                "whole, of this version and in force; to compare its count with the triggers, "
                "run SELECT kheops_webhooks_accelerate.check_and_repair() as " +
                objects.owner,
            ""};
}

}  // namespace

void check_acceleration(Catalog& catalog, const Session& session, std::int64_t count,
                        const Report& report) {
    if (const std::optional<Objects> objects = read_objects(catalog, session)) {
        report(finding_of(catalog, session, *objects, count));
    }
}

}  // namespace kheops
