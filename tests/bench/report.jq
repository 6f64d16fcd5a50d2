# SPDX-License-Identifier: MIT
#
# From the samples (lines of JSON from bench.cpp, slurped) to what they say: `cells` with the median
# of each value over the rounds, and `figures` with their limits. Two that are compared were measured
# in turn, so a ratio is the median of the ratios of each round.

def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
def rounded: if . == null then null elif . >= 100 then round else (. * 100 | round) / 100 end;

. as $samples
# The samples that have the members of $what; a missing member means any value.
| def chosen($what): [$samples[] | select(contains($what))];
def values_of(f): map(f // empty);
def ratio($over; $under; f):
    [chosen($over), chosen($under)] | map(map(f)) | transpose
    | map(select(all(. != null)) | .[0] / .[1]) | median;
def all_of(f): [$samples[] | f // empty] | unique;

def figure($name; $value; $bound; $limit):
    select($value != null)
    | {name: $name, value: ($value | rounded)}
      + if $limit == null then {} else
            {$bound, $limit,
             reached: (if $bound == "at most" then $value <= $limit else $value >= $limit end)}
        end;
def at_most($name; $value; $limit): figure($name; $value; "at most"; $limit);
def at_least($name; $value; $limit): figure($name; $value; "at least"; $limit);
def unlimited($name; $value): figure($name; $value; null; null);

def per_connections(f): all_of(.connections | select(. != null))[] as $c | f;
def way($accelerated): if $accelerated then ", accelerated" else "" end;

def history:
    chosen({part: "history"}) | select(length > 0) | map(.triggers) | min as $short | max as $long
    | (all_of(select(.part == "history") | .connections)[] as $c
       | {part: "history", program: "worker", accelerated: true, connections: $c} as $at
       | at_most("median at \($long) triggers / at \($short), accelerated, \($c) connections";
                 ratio($at + {triggers: $long}; $at + {triggers: $short}; .median_ms); 1.1)),
      ({part: "history", accelerated: false, connections: 1, triggers: $long} as $at
       | at_most("median at \($long) triggers / a pass over them";
                 ratio($at + {program: "worker"}; $at + {program: "count(id)"}; .median_ms); 2));

def installation: unlimited("s that accelerate.sql takes for each million triggers";
                       chosen({part: "installation"}) | map(.seconds * 1e6 / .triggers) | median);

def around:
    (true, false) as $accelerated | ("webhooks", "members", "history") as $what
    | all_of(select(.part == "around") | .connections)[] as $c
    | {part: "around", connections: $c, $accelerated} as $at
    | at_most("median with more \($what) around / without\(way($accelerated)), \($c) connections";
              ratio($at + {program: $what}; $at + {program: "nothing"}; .median_ms); 1.1);

def programs:
    all_of(select(.part == "programs") | .connections)[] as $c | (true, false) as $accelerated
    | {part: "programs", webhooks: 10, connections: $c, $accelerated} as $at
    | ($at + {program: "worker"}) as $ours
    | at_most("CPU of nginx and worker / of nginx and minimal\(way($accelerated)), \($c) connections";
              ratio($ours; $at + {program: "minimal"}; .nginx_us + .program_us); 1.25),
      at_most("PostgreSQL, µs a request\(way($accelerated)), \($c) connections";
              chosen($ours) | map(.postgresql_us) | median; if $accelerated then 100 else null end),
      unlimited("requests/s / what pgbench does\(way($accelerated)), \($c) connections";
           ratio($ours; $at + {program: "pgbench"}; .per_second));

# Every cell in which both were measured.
def php:
    [$samples | group_by([.part, .accelerated, .webhooks, .triggers, .connections])[]
     | (map(select(.program == "worker"))) as $ours | (map(select(.program == "php"))) as $theirs
     | select(($ours | length > 0) and ($theirs | length > 0))
     | {ratio: ([$ours, $theirs] | transpose | map(.[0].per_second / .[1].per_second) | median),
        share: ($ours | map(.postgresql_us / (.nginx_us + .program_us + .postgresql_us)) | median)}]
    | (map(select(.share < 0.5).ratio) | min) as $light | (map(.ratio) | min) as $all
    | at_least("requests/s / PHP-FPM's, the least where PostgreSQL is under half of the CPU"; $light; 2),
      at_least("requests/s / PHP-FPM's, the least anywhere"; $all; 1);

# The heaps of all threads fill at first; what leaks would go on leaking.
def memory:
    chosen({part: "memory"}) | select(length > 0) | .[(length / 2 | floor) - 1] as $half
    | at_most("resident MiB after \(.[-1].requests) different tokens, \(.[0].threads) threads";
              .[-1].resident_mib; 24),
      at_most("the same / after \($half.requests)"; .[-1].resident_mib / $half.resident_mib; 1.02);

def start: unlimited("ms from the start to the first answer";
                chosen({part: "start"}) | map(.first_answer_ms) | median);

def overload:
    (2, 5) as $times | {part: "overload", times_peak: $times} as $at
    | at_least("answers/s when asked \($times) times the peak / peak";
               ratio($at; {part: "overload", times_peak: 0}; .per_second); 0.9),
      (chosen($at) | select(length > 0)
       | unlimited("ms until half of its refusals"; map(.refused_median_ms) | median),
         unlimited("ms until 99 % of its refusals"; map(.refused_p99_ms) | median),
         unlimited("resident MiB after it"; map(.resident_mib) | max));

def flood:
    ("nothing", "good tokens", "invented keys") as $beside
    | {part: "flood", $beside} as $at
    | unlimited("ms, 99th percentile of good tokens beside \($beside)"; chosen($at) | map(.p99_ms) | median),
      (select($beside == "invented keys")
       | at_most("downloads in 10 s of that"; chosen($at) | map(.downloads / (1 + .seconds / 10)) | max; 1));

def limited:
    unlimited("requests/s with 16 threads / with 2, where the database gives 2 connections";
         ratio({part: "limited", program: "threads_16"}; {part: "limited", program: "threads_2"};
               .per_second));

{
    machine: $machine,
    cells: [$samples | group_by([.part, .accelerated, .webhooks, .triggers, .times_peak, .requests, .beside,
                                 .connections, .program])[]
            | . as $rounds | .[0]
            | with_entries(.key as $key
                           | if .value | type == "number"
                             then .value = ($rounds | map(.[$key]) | median) else . end)],
    figures: [history, installation, around, programs, php, memory, start, overload, flood, limited]
}
