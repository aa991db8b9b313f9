# The tests from outside: foreign clients, the oracle, abuse, crashes; and the laws of the tree.
find_program(NEARSHELF_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NEARSHELF_PYTHON NAMES python3 REQUIRED)
find_program(NEARSHELF_NODE NAMES node nodejs)
find_library(NEARSHELF_MPACK NAMES libmpack.a)

add_test(NAME tidy.tree COMMAND ${NEARSHELF_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/tidy/tidy.py
  ${PROJECT_SOURCE_DIR})
add_test(NAME tidy.itself COMMAND ${NEARSHELF_PYTHON}
  ${CMAKE_CURRENT_SOURCE_DIR}/tidy/test_tidy.py)
set_tests_properties(tidy.tree tidy.itself PROPERTIES LABELS tidy TIMEOUT 30)
add_test(NAME model.oracle COMMAND ${NEARSHELF_PYTHON}
  ${CMAKE_CURRENT_SOURCE_DIR}/interop/test_oracle.py)
set_tests_properties(model.oracle PROPERTIES LABELS model TIMEOUT 60)

# A sanitizer slows the daemon five to twenty times: fewer of the same, longer to wait.
if(NEARSHELF_SANITIZE)
  set(outside_quick --quick)
  set(outside_sizes --orders 300 --splits 80)
  set(outside_networks --networks 40)
  set(outside_ops 60000)
  set(outside_triples --triples 1000)
  set(outside_rounds 5)
  set(outside_factor 4)
else()
  set(outside_quick)
  set(outside_sizes --orders 2000 --splits 500)
  set(outside_networks --networks 150)
  set(outside_ops 1000000)
  set(outside_triples --triples 10000)
  set(outside_rounds 10)
  set(outside_factor 1)
endif()

# How often CI kills: most in release, where crashes come quickest, a taste elsewhere.
if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT NEARSHELF_SANITIZE)
  set(outside_kills 100)
  set(outside_flush_kills 10)
else()
  set(outside_kills ${outside_rounds})
  set(outside_flush_kills 2)
endif()

# nearshelf_outside(NAME interop.x LABEL interop TIMEOUT 60 COMMAND script.py ...): one entry that
# starts daemons of its own. They share the disk and the two cores, so one at a time.
function(nearshelf_outside)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME;LABEL;TIMEOUT;SCRIPT" "ARGS")
  math(EXPR timeout "${ARG_TIMEOUT} * ${outside_factor}")
  add_test(NAME ${ARG_NAME} COMMAND ${NEARSHELF_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} --engine $<TARGET_FILE:nearshelfd> ${ARG_ARGS})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77 RUN_SERIAL ON)
endfunction()

if(TARGET nearshelfd)
  set(interop ${CMAKE_CURRENT_SOURCE_DIR}/interop)
  function(nearshelf_peer name)
    nearshelf_outside(NAME interop.${name} LABEL interop TIMEOUT 60 SCRIPT interop/run_peer.py
      ARGS -- ${ARGN})
  endfunction()
  nearshelf_peer(python_msgpack ${NEARSHELF_PYTHON} ${interop}/peer_msgpack.py)
  nearshelf_peer(python_pynvim ${NEARSHELF_PYTHON} ${interop}/peer_pynvim.py)
  nearshelf_peer(nvim bash ${interop}/peer_nvim.sh)
  if(NEARSHELF_NODE)
    foreach(module neovim msgpack-rpc-lite @msgpack/msgpack)
      string(MAKE_C_IDENTIFIER "npm_${module}" name)
      nearshelf_peer(${name} ${NEARSHELF_NODE} ${interop}/peer_npm.js ${module}
        ${PROJECT_SOURCE_DIR}/build)
    endforeach()
  else()
    message(STATUS "skipped: the npm clients, there is no node")
  endif()
  if(NEARSHELF_MPACK)
    # Debian's libmpack.a is not position independent.
    add_executable(peer_mpack interop/peer_mpack.c)
    set_target_properties(peer_mpack PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_definitions(peer_mpack PRIVATE _GNU_SOURCE)
    target_compile_options(peer_mpack PRIVATE -Wall -Wextra -Werror -fno-pie)
    target_link_libraries(peer_mpack PRIVATE ${NEARSHELF_MPACK})
    target_link_options(peer_mpack PRIVATE -no-pie)
    nearshelf_peer(libmpack $<TARGET_FILE:peer_mpack>)
  else()
    message(STATUS "skipped: the libmpack client, there is no libmpack-dev")
  endif()

  nearshelf_outside(NAME interop.oracle LABEL interop TIMEOUT 300 SCRIPT interop/oracle_route.py
    ARGS ${outside_sizes})
  nearshelf_outside(NAME interop.rules LABEL interop TIMEOUT 120 SCRIPT interop/oracle_rules.py
    ARGS ${outside_networks})
  nearshelf_outside(NAME interop.regressions LABEL interop TIMEOUT 120
    SCRIPT interop/regressions.py)
  nearshelf_outside(NAME interop.contract LABEL interop TIMEOUT 120 SCRIPT interop/contract.py)
  nearshelf_outside(NAME interop.each_method LABEL interop TIMEOUT 60 SCRIPT interop/each_method.py)
  nearshelf_outside(NAME interop.traces LABEL interop TIMEOUT 240 SCRIPT interop/traces.py)
  nearshelf_outside(NAME integration.checkpoint_child LABEL integration TIMEOUT 120
    SCRIPT integration/checkpoint_child.py)
  nearshelf_outside(NAME integration.daemon LABEL integration TIMEOUT 120 SCRIPT interop/daemon.py)
  nearshelf_outside(NAME interop.promise_dates LABEL interop TIMEOUT 240
    SCRIPT interop/promise_dates.py ARGS ${outside_triples})
  nearshelf_outside(NAME integration.events LABEL integration TIMEOUT 180 SCRIPT interop/events.py
    ARGS --cli $<TARGET_FILE:nearshelf> --seed 5)
  nearshelf_outside(NAME integration.backup_address LABEL integration TIMEOUT 120
    SCRIPT integration/backup_address.py ARGS --cli $<TARGET_FILE:nearshelf>)
  nearshelf_outside(NAME integration.log_reader LABEL integration TIMEOUT 120
    SCRIPT integration/log_reader.py ARGS --cli $<TARGET_FILE:nearshelf>)
  nearshelf_outside(NAME integration.full_file LABEL integration TIMEOUT 240
    SCRIPT integration/full_file.py ARGS --cli $<TARGET_FILE:nearshelf> --seed 3)
  nearshelf_outside(NAME interop.abuse LABEL interop TIMEOUT 300 SCRIPT interop/abuse.py
    ARGS ${outside_quick})

  add_executable(mixed_ops stress/mixed_ops.c support/rpc_conn.c)
  target_include_directories(mixed_ops PRIVATE support)
  target_link_libraries(mixed_ops PRIVATE base PkgConfig::MSGPACK Threads::Threads nearshelf_flags)
  nearshelf_outside(NAME integration.mixed_ops LABEL "integration;stress" TIMEOUT 300
    SCRIPT interop/with_engine.py ARGS -- $<TARGET_FILE:mixed_ops> HOST PORT ${outside_ops})
  nearshelf_outside(NAME integration.all_methods LABEL "integration;stress" TIMEOUT 120
    SCRIPT stress/all_methods.py ARGS --operations 20000 --kills 2)

  # The same with read loops: settings come from the environment too. Patient, as two more threads
  # on a busy machine make five milliseconds short.
  math(EXPR outside_delay "200 * ${outside_factor} * ${outside_factor}")
  function(nearshelf_with_loops)
    cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME" "")
    nearshelf_outside(${ARGN})
    set_tests_properties(${ARG_NAME} PROPERTIES
      ENVIRONMENT "NEARSHELF_READ_LOOPS=2;NEARSHELF_MAX_DELAY_MS=${outside_delay}")
  endfunction()
  nearshelf_with_loops(NAME interop.loops_contract LABEL interop TIMEOUT 120
    SCRIPT interop/contract.py)
  nearshelf_with_loops(NAME interop.loops_regressions LABEL interop TIMEOUT 120
    SCRIPT interop/regressions.py)
  nearshelf_with_loops(NAME interop.loops_oracle LABEL interop TIMEOUT 120
    SCRIPT interop/oracle_route.py ARGS --orders 300 --splits 80)
  nearshelf_with_loops(NAME interop.loops_abuse LABEL interop TIMEOUT 200
    SCRIPT interop/abuse.py ARGS --quick)
  nearshelf_with_loops(NAME integration.loops_events LABEL integration TIMEOUT 180
    SCRIPT interop/events.py ARGS --cli $<TARGET_FILE:nearshelf> --seed 5)
  nearshelf_with_loops(NAME integration.loops_daemon LABEL integration TIMEOUT 120
    SCRIPT interop/daemon.py)
  nearshelf_with_loops(NAME integration.read_loops LABEL "integration;stress" TIMEOUT 120
    SCRIPT integration/read_loops.py)
  nearshelf_with_loops(NAME integration.loops_mixed_ops LABEL "integration;stress" TIMEOUT 300
    SCRIPT interop/with_engine.py ARGS -- $<TARGET_FILE:mixed_ops> HOST PORT ${outside_ops})

  foreach(kind ext4 xfs)
    nearshelf_outside(NAME crash.power_cut_${kind} LABEL "integration;crash;mount" TIMEOUT 400
      SCRIPT crash/power_cut.py ARGS --kind ${kind} --rounds ${outside_rounds}
      --flush-kills ${outside_flush_kills})
  endforeach()
  # A sanitized engine is too slow for a second's patience.
  math(EXPR outside_within "1 + 2 * ${outside_factor}")
  foreach(kind tmpfs ext4)
    nearshelf_outside(NAME crash.disk_full_${kind} LABEL "integration;crash;mount" TIMEOUT 200
      SCRIPT crash/disk_full.py ARGS --kind ${kind} --rounds 3 --mebibytes 160
      --within ${outside_within})
  endforeach()
  if(NOT NEARSHELF_SANITIZE) # they bring an allocator of their own
    add_library(alloc_shim MODULE crash/alloc_shim.c)
    target_link_libraries(alloc_shim PRIVATE nearshelf_flags)
    nearshelf_outside(NAME crash.alloc_fail LABEL "integration;crash" TIMEOUT 200
      SCRIPT crash/alloc_fail.py ARGS --shim $<TARGET_FILE:alloc_shim> --stride 301)
  endif()
  nearshelf_outside(NAME crash.kill9 LABEL "integration;crash" TIMEOUT 600 SCRIPT crash/kill9.py
    ARGS --rounds ${outside_kills})
endif()
