# Makes one table of the rows, peers and notes that the benchmarks print.
#
#   run   NAME, before what belongs to a question
#   row   QUESTION  OURS  LIMIT  RATIO  QUARTILES
#   peer  QUESTION  NAME  RATIO
#   note  TEXT

function question(name) {
  if (!(name in seen)) {
    seen[name] = 1
    order[++count] = name
  }
  if (length(name) > width) width = length(name)
  return name
}

$1 == "row" {
  name = question($2)
  ours[name] = $3
  limit[name] = $4
  ratio[name] = $5
  quartiles[name] = $6
}

$1 == "peer" {
  name = question($2)
  peers[name] = peers[name] (peers[name] == "" ? "" : ", ") $3 " " $4
}

$1 == "note" && !($2 in noted) {
  noted[$2] = 1
  notes = notes "\n" $2 "."
}

END {
  print "Ratios are of times or of memory, to the limit's in the same run: below 1 is better than the limit.\n"
  line = "%-" width "s  %11s  %11s  %6s  %-11s  %s\n"
  printf line, "question", "ours", "limit", "ratio", "quartiles", "peers"
  for (i = 1; i <= count; i++) {
    name = order[i]
    printf line, name, ours[name], limit[name], ratio[name], quartiles[name], peers[name]
  }
  if (notes != "") print notes
}
