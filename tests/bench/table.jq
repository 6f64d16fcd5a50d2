# SPDX-License-Identifier: MIT
#
# The results of report.jq as a table.

def column($width): tostring | . + " " * ($width - length) ;
def right($width): tostring | " " * ($width - length) + .;
def number: if . == null then "" elif . >= 100 then round | tostring
    else (. * 100 | round) as $n | "\($n / 100 | floor).\($n % 100 + 100 | tostring | .[1:])" end;

.machine, "",
"                                          con-  requests     median        p99     CPU time, µs a request",
"part     triggers            program  nections        /s         ms         ms    nginx  program  PostgreSQL",
(.cells[] | select(.program != null)
 | (.part | column(9)) + ("\(.triggers)" + (if .accelerated then " accelerated" else "" end) | column(20))
   + (.program | column(10)) + (.connections | right(7)) + (.per_second | number | right(10))
   + (.median_ms | number | right(11)) + (.p99_ms | number | right(11))
   + (.nginx_us | number | right(9)) + (.program_us | number | right(9))
   + (.postgresql_us | number | right(12))),
"",
(.figures[] | (.name | column(86)) + (.value | number | right(8)))
