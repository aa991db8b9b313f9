# The load generator: what it draws, what it reads, a run against a stand-in, and short runs against
# the engine itself.
nearshelf_test(unit/test_load_draws.c LABEL unit DEPS loadkit)
nearshelf_test(unit/test_load_answer.c LABEL unit DEPS loadkit)

add_library(load_fake STATIC support/load_fake.c)
target_include_directories(load_fake PUBLIC support)
target_link_libraries(load_fake PUBLIC wire PRIVATE nearshelf_flags)
nearshelf_test(integration/test_load_run.c LABEL integration DEPS loadkit load_fake)
