# Adds up what each product has sold for, in cents.
{ sum[$1] += $2 * $3 }
END { for (product in sum) printf "%s,%d\n", product, sum[product] }
