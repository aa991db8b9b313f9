# bench_decide: the nearest search and the split search, on the tests' world.
nearshelf_bench(decide DEPS test_world)
