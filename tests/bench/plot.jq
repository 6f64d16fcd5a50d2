# SPDX-License-Identifier: MIT
#
# The results of report.jq as an SVG picture: how long a list of ten webhooks takes, by how often each
# has fired.

def log10: log / (10 | log);
def x: 70 + 90 * ((log10) - 1) | round;   # 10 … 1,000,000 triggers
def y: 300 - 50 * ((log10) + 1) | round;  # 0.1 … 10,000 ms
def text($x; $y; $anchor; $text): "<text x=\"\($x)\" y=\"\($y)\" text-anchor=\"\($anchor)\">\($text)</text>";

[.cells[] | select(.part == "history" and .connections == 1 and .median_ms != null)]
| . as $cells
| [{program: "php", accelerated: false, color: "#b45f06", name: "PHP-FPM"},
   {program: "worker", accelerated: false, color: "#3d85c6", name: "kheops-webhooks"},
   {program: "count(id)", accelerated: false, color: "#999999", name: "count(id) alone"},
   {program: "worker", accelerated: true, color: "#38761d", name: "with accelerate.sql"}]
| map(. as $line
      | $line + {points: [$cells[] | select(.program == $line.program and .accelerated == $line.accelerated)]
                         | sort_by(.triggers)}
      | select(.points | length > 0))
| sort_by(.points[-1].median_ms | y)
| map(.name_y = (.points[-1].median_ms | y) + 4)  # a name that would overlap another moves down
| reduce range(1; length) as $i (.; .[$i].name_y = ([.[$i].name_y, .[$i - 1].name_y + 15] | max))
| "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 350\" font-family=\"sans-serif\" font-size=\"13\">",
  "<rect width=\"700\" height=\"350\" fill=\"white\"/>",
  text(70; 20; "start"; "milliseconds for the list of an album of 10 webhooks (median, one connection)"),
  ((0.1, 1, 10, 100, 1000, 10000)
   | "<path d=\"M70 \(y) H520\" stroke=\"#dddddd\"/>", text(62; y + 4; "end"; .)),
  ([$cells[].triggers] | unique[] | text(x; 320; "middle"; .)),
  text(295; 342; "middle"; "triggers of each webhook"),
  (.[] | "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"\(.color)\" points=\"\(
              .points | map("\(.triggers | x),\(.median_ms | y)") | join(" "))\"/>",
         (.points[] as $point | "<circle r=\"3\" fill=\"\(.color)\" cx=\"\($point.triggers | x)\" cy=\"\($point.median_ms | y)\"/>"),
         ("<g fill=\"\(.color)\">" + text((.points[-1].triggers | x) + 10; .name_y; "start"; .name) + "</g>")),
  "</svg>"
