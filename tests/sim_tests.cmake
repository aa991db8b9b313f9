# The whole engine on a simulated disk, from seeds. Campaign: test_sim --seeds 100000 --from 1.
add_executable(test_sim sim/test_sim.c sim/sim_books.c sim/sim_client.c sim/sim_damage.c sim/sim_end.c sim/sim_ops.c
  sim/sim_ledger.c sim/sim_ledger_check.c sim/sim_promises.c sim/sim_ops_document.c sim/sim_ops_events.c
  sim/sim_ops_explain.c sim/sim_ops_rare.c
  sim/sim_ops_replan.c sim/sim_ops_reserve.c sim/sim_run.c
  sim/sim_memory.c sim/sim_ops_order.c sim/sim_ops_other.c sim/sim_ops_stock.c sim/sim_port.c
  sim/sim_value.c)
target_include_directories(test_sim PRIVATE sim)
target_link_libraries(test_sim PRIVATE service log_sim nearshelf_flags)
if(NOT NEARSHELF_SANITIZE)
  target_compile_definitions(test_sim PRIVATE SIM_HAS_POOL)
endif()
foreach(call IN ITEMS madvise mmap munmap malloc calloc realloc free explicit_bzero hist_init warm_start)
  target_link_options(test_sim PRIVATE -Wl,--wrap=${call})
endforeach()

# CTest runs the seeds from 1 on, each of at least 10,000 operations: all 200 where it is quick.
if(NEARSHELF_SANITIZE)
  set(sim_seeds 6)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(sim_seeds 200)
else()
  set(sim_seeds 20)
endif()
add_test(NAME sim.seeds COMMAND test_sim --seeds ${sim_seeds} --from 1 --operations 10000)
set_tests_properties(sim.seeds PROPERTIES LABELS sim TIMEOUT 400)

# Single faults at every position; with a stride where it is slow.
if(NEARSHELF_SANITIZE)
  set(sim_stride 23)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(sim_stride 1)
else()
  set(sim_stride 7)
endif()
add_test(NAME sim.single_faults COMMAND test_sim --sweep ${sim_stride})
set_tests_properties(sim.single_faults PROPERTIES LABELS sim TIMEOUT 400)
