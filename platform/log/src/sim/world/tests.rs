use super::*;
use crate::sim::fault::{Fault, Lasts};

fn seeds(world: &World) -> Vec<World> {
    (0..200).map(|seed| world.crashed(Survival::Seeded(seed))).collect()
}

#[test]
fn a_new_name_is_durable_only_after_the_directory_was_synced() {
    let mut world = World::default();
    let file = world.create("a").unwrap();
    world.write_at(file, b"x", 0).unwrap();
    world.sync(file).unwrap();
    let left = seeds(&world);
    assert!(left.iter().any(|left| left.content("a").is_none()), "the file's own sync does not name it");
    assert!(left.iter().any(|left| left.content("a") == Some(b"x")));
    world.sync_names().unwrap();
    assert_eq!(world.crashed(Survival::Nothing).content("a"), Some(b"x".as_slice()));
}

#[test]
fn a_rename_survives_whole_or_not_at_all() {
    let mut world = World::default();
    world.put("old", b"1".to_vec());
    world.put("new", b"2".to_vec());
    world.rename("old", "new").unwrap();
    for left in seeds(&world) {
        let found = (left.content("old"), left.content("new"));
        assert!(matches!(found, (Some(b"1"), Some(b"2")) | (None, Some(b"1"))), "{found:?}");
    }
}

#[test]
fn names_survive_in_any_subset() {
    let mut world = World::default();
    world.create("a").unwrap();
    world.create("b").unwrap();
    let found: BTreeSet<_> =
        seeds(&world).iter().map(|left| ["a", "b"].map(|name| left.content(name).is_some())).collect();
    assert_eq!(found.len(), 4);
}

#[test]
fn nothing_succeeds_after_the_power_was_cut() {
    let mut world = World::default();
    world.faults.cut_after = Some(2);
    let file = world.create("a").unwrap();
    world.write_at(file, b"x", 0).unwrap();
    assert!(world.sync(file).is_err());
    assert!(world.read_at(file, &mut [0], 0).is_err());
    assert_eq!(world.crashed(Survival::Everything).content("a"), Some(b"x".as_slice()));
}

#[test]
fn a_fault_fails_one_operation_and_the_page_cache_outlives_the_process() {
    let mut world = World::default();
    world.put("a", vec![1; SECTOR_BYTES]);
    let file = world.look_up("a").unwrap();
    world.write_at(file, &[2; SECTOR_BYTES], 0).unwrap();
    world.faults.fault = Some(Fault { at: 2, lasts: Lasts::Once, kind: FaultKind::Medium });
    assert_eq!(world.sync(file).unwrap_err().raw_os_error(), Some(5));
    world.sync(file).unwrap();
    assert_eq!(world.restarted().content("a"), Some([2; SECTOR_BYTES].as_slice()));
}

#[test]
fn a_full_disk_takes_overwrites_but_no_more_sectors() {
    let mut world = World::default();
    world.put("a", vec![1; SECTOR_BYTES]);
    world.faults.capacity_bytes = Some(2 * 512);
    let file = world.look_up("a").unwrap();
    world.write_at(file, &[2; SECTOR_BYTES], 0).unwrap();
    assert_eq!(world.write_at(file, &[2; 1024], 512).unwrap_err().raw_os_error(), Some(28));
    world.faults.capacity_bytes = None;
    world.write_at(file, &[2; 1024], 512).unwrap();
}

#[test]
fn a_lock_keeps_others_out_until_the_process_ends() {
    let mut world = World::default();
    world.lock("lock").unwrap();
    assert_eq!(world.lock("lock").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    world.restarted().lock("lock").unwrap();
    world.unlock("lock");
    world.lock("lock").unwrap();
}

#[test]
fn the_same_operations_have_the_same_trace_and_others_have_another() {
    let run = |byte: u8| {
        let mut world = World::default();
        let file = world.create("a").unwrap();
        world.write_at(file, &[byte], 0).unwrap();
        world.sync(file).unwrap();
        world.trace()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
