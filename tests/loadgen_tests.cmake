# The load generator: what it draws, what it reads, a run against a stand-in, and short runs against
# the engine itself.
nearshelf_test(unit/test_load_draws.c LABEL unit DEPS loadkit)
nearshelf_test(unit/test_load_answer.c LABEL unit DEPS loadkit)

add_library(load_fake STATIC support/load_fake.c)
target_include_directories(load_fake PUBLIC support)
target_link_libraries(load_fake PUBLIC wire PRIVATE nearshelf_flags)
nearshelf_test(integration/test_load_run.c LABEL integration DEPS loadkit load_fake)

# nearshelf_load_smoke(x ARGUMENT...): a fresh engine, a short run with its audit, exit code 0. The
# address goes to the end, since with_engine.py replaces whole words only.
find_program(NEARSHELF_PYTHON NAMES python3 REQUIRED)
function(nearshelf_load_smoke name)
  add_test(NAME smoke.load_${name} COMMAND ${NEARSHELF_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/interop/with_engine.py --engine $<TARGET_FILE:nearshelfd> --
    sh -c "a=$0:$1 && shift && exec \"$@\" --address \"$a\"" HOST PORT
    $<TARGET_FILE:nearshelf-load> --nodes 60 --items 400 --life 0.2 --verify ${ARGN})
  set_tests_properties(smoke.load_${name} PROPERTIES LABELS smoke TIMEOUT 180
    SKIP_RETURN_CODE 77 RUN_SERIAL ON)
endfunction()

if(TARGET nearshelfd)
  nearshelf_load_smoke(consumer --rate 2000 --duration 2 --retries 0.1)
  nearshelf_load_smoke(two_line --workload two-line --closed --depth 16 --duration 1 --retries 0.05)
  nearshelf_load_smoke(hot_sold_out --workload hot --hot-stock 20 --life 0 --closed --duration 1
    --connections 64 --depth 4 --slo "refused>1%")
  nearshelf_load_smoke(same_day --workload same-day --rate 1000 --duration 1 --nodes 300)
  nearshelf_load_smoke(read_mostly --workload read-mostly --rate 5000 --duration 1)
  add_test(NAME smoke.load_ledger COMMAND ${NEARSHELF_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/integration/load_ledger.py --engine $<TARGET_FILE:nearshelfd>
    $<TARGET_FILE:nearshelf-load>)
  set_tests_properties(smoke.load_ledger PROPERTIES LABELS smoke TIMEOUT 180
    SKIP_RETURN_CODE 77 RUN_SERIAL ON)
  set(baskets_dir ${PROJECT_SOURCE_DIR}/../shared/data)
  if(EXISTS ${baskets_dir}/uk_baskets.csv.gz)
    nearshelf_load_smoke(baskets --workload baskets --data ${baskets_dir} --rate 200 --duration 2)
  else()
    add_test(NAME smoke.load_baskets COMMAND ${CMAKE_COMMAND} -E echo "skipped: no basket data")
    set_tests_properties(smoke.load_baskets PROPERTIES LABELS smoke
      SKIP_REGULAR_EXPRESSION "skipped:")
  endif()
endif()
