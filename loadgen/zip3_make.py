#!/usr/bin/env python3
"""Work out zip3_rows.inc from a ZIP code file (zip,lat,lon,population_2010).

usage: zip3_make.py us_zip.csv > zip3_rows.inc
Sums the areas of equal first three digits; the centre is weighted by population. Areas in
which nobody was counted are left out (Puerto Rico and military mail have no count here).
"""
import csv
import sys


def main():
    sums = {}
    with open(sys.argv[1], newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            people = int(row["population_2010"] or 0)
            total = sums.setdefault(row["zip"][:3], [0, 0.0, 0.0])
            total[0] += people
            total[1] += people * float(row["lat"])
            total[2] += people * float(row["lon"])
    print("/* Three-digit ZIP areas: digits, population-weighted centre, people in 2010. Made by")
    print(" * zip3_make.py from US Census gazetteer places and 2010 counts (public domain). */")
    for zip3, (people, lat, lon) in sorted(sums.items()):
        if people > 0:
            print(f'{{"{zip3}", {lat / people:.4f}, {lon / people:.4f}, {people}}},')


main()
