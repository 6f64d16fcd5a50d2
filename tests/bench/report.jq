# SPDX-License-Identifier: MIT
#
# Sums up the samples (lines of JSON from bench.cpp, slurped): `cells` have the median of each value
# over the rounds, and `figures` compare cells. Programs that are compared were measured in turn, so a
# ratio is the median of the ratios of each round.

def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
def rounded: if . == null then null elif . >= 100 then round else (. * 100 | round) / 100 end;

. as $samples
# The samples that have these members.
| def chosen($members): [$samples[] | select(contains($members))];
def ratio($over; $under; f):
    [chosen($over), chosen($under)] | map(map(f)) | transpose
    | map(select(all(. != null)) | .[0] / .[1]) | median;
def figure($name; $value): select($value != null) | {name: $name, value: ($value | rounded)};

def history:
    {part: "history", program: "worker", accelerated: true} as $at
    | chosen($at) | select(length > 0) | map(.triggers) | min as $short | max as $long
    | (1, 8) as $connections | ($at + {$connections}) as $at
    | figure("median at \($long) triggers / at \($short), accelerated, \($connections) connections";
             ratio($at + {triggers: $long}; $at + {triggers: $short}; .median_ms));

def installation: figure("s that accelerate.sql takes for each million triggers";
                         chosen({part: "installation"}) | map(.seconds * 1e6 / .triggers) | median);

# The heaps of all threads fill at first; a leak would make memory grow in the second half too.
def memory:
    chosen({part: "memory"}) | select(length > 0) | .[(length / 2 | floor) - 1] as $half
    | figure("resident MiB after \(.[-1].requests) different tokens, \(.[0].threads) threads"; .[-1].resident_mib),
      figure("the same / after \($half.requests)"; .[-1].resident_mib / $half.resident_mib);

def tag:
    chosen({part: "tag"}) | select(length > 0)
    | figure("us of CPU for the ETag of a list of 10 webhooks with \(.[0].octets) octets"; map(.us_per_tag) | median);

def limited:
    figure("requests/s with 16 threads / with 2, where the database gives 2 connections";
           ratio({part: "limited", program: "threads_16"}; {part: "limited", program: "threads_2"};
                 .per_second));

{
    machine: $machine,
    cells: [$samples | group_by([.part, .accelerated, .triggers, .requests, .connections, .program])[]
            | . as $rounds | .[0]
            | with_entries(.key as $key
                           | if .value | type == "number"
                             then .value = ($rounds | map(.[$key]) | median) else . end)],
    figures: [history, installation, memory, tag, limited]
}
