# Makes the sales of one shop: product, price in cents, number. The same shop has the same sales each time.
BEGIN {
    srand(shop)
    split("apples bread cheese dates eggs flour grapes honey", products, " ")
    for (sale = 0; sale < sales; sale++)
        printf "%s,%d,%d\n", products[1 + int(rand() * 8)], 50 + int(rand() * 900), 1 + int(rand() * 5)
}
