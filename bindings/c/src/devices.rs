//! What a client of OMEMO asks beyond messages: devices, fingerprints, sessions. Each function is a step of its own; what it wants done
//! is among the outputs of the next commit.
#![allow(unsafe_code)] // exports
use crate::error::{AbiError, CError, Failure, call, get};
use crate::feed::{CDevice, device_of, trust_code};
use crate::handle::{Handle, give, live, lock, release, share};
use crate::machine::{CMachine, Running, list};
use crate::outputs::device;
use crate::text::{Texts, name, put};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex};
use subrosa_engine::*;
use subrosa_omemo::{DeviceInfo, Omemo};

/// One device of a person, for a person to look at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CDeviceInfo {
    /// Which.
    pub device: CDevice,
    /// Its identity key as people compare it: 32 bytes. NULL: not seen yet.
    pub key: *const u8,
    /// What the key is worth: one of `subrosa_trust`.
    pub trust: c_int,
    /// Not 0: it is on its owner's list. Messages go to these only.
    pub listed: c_int,
    /// Not 0: it is this one.
    pub this_device: c_int,
    /// Not 0: there is a session with it.
    pub has_session: c_int,
    /// When something of it was last decrypted: milliseconds since 1970, or 0.
    pub last_heard: u64,
    /// What its owner calls it, or NULL.
    pub label: *const c_char,
}
/// The devices of a person. What is got from it lives as long as it.
pub struct Devices {
    infos: Vec<DeviceInfo>,
    texts: Mutex<Texts>,
}
impl Handle for Devices {
    const NAME: &'static str = "subrosa_devices";
}

/// A step with one call in it.
fn ask<T: Send + 'static>(
    machine: *mut CMachine,
    now: u64,
    function: &'static str,
    f: impl FnMut(&Omemo, &mut Context<'_>) -> Result<T, Halt> + Send,
) -> Result<T, Failure> {
    let machine = unsafe { share(machine) }?;
    let mut entered = machine.enter(function)?;
    let Running { machine, store, omemo, released } = &mut *entered;
    let omemo = omemo.ok_or(AbiError::NoOmemo)?;
    let mut rng = UnwrapErr(SysRng);
    let mut step = machine.begin(Time(now), &mut rng);
    let reply = step.call(omemo, f);
    let mut outputs = step.commit(store).map_err(|error| Failure::from_commit(&error))?;
    let answer = outputs.reply(&reply);
    released.extend(list(outputs));
    answer.ok_or_else(|| AbiError::Failed.into())
}

/// The devices of a person as they are known now, listed ones first. `devices`: becomes a list to be given back with
/// `subrosa_devices_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_omemo_devices(
    machine: *mut CMachine,
    now: u64,
    owner: *const c_char,
    devices: *mut *mut Devices,
    error: *mut *mut CError,
) -> c_int {
    unsafe { put(devices, std::ptr::null_mut()) };
    call(error, || {
        let owner: Address = unsafe { name(owner, "owner") }?.into();
        if devices.is_null() {
            return Err(AbiError::Null("devices").into());
        }
        let infos = ask(machine, now, "subrosa_machine_omemo_devices", move |omemo, cx| omemo.devices(cx, &owner))?;
        unsafe { put(devices, give(Arc::new(Devices { infos, texts: Mutex::default() }))) };
        Ok(())
    })
}
/// How many there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_devices_get_count(devices: *const Devices) -> usize {
    get(0, || Ok(unsafe { live(devices) }?.infos.len()))
}
/// One of them. Not 0 where there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_devices_get(devices: *const Devices, index: usize, info: *mut CDeviceInfo) -> c_int {
    get(0, || {
        let devices = unsafe { live(devices) }?;
        let Some(found) = devices.infos.get(index) else { return Ok(0) };
        let mut texts = lock(&devices.texts);
        let line = CDeviceInfo {
            device: device(&found.device, &mut texts),
            key: found.key.as_ref().map_or(std::ptr::null(), |key| key.0.as_ptr()),
            trust: trust_code(found.trust),
            listed: found.listed.into(),
            this_device: found.this_device.into(),
            has_session: found.has_session.into(),
            last_heard: found.last_heard.map_or(0, |time| time.0),
            label: found.label.as_deref().map_or(std::ptr::null(), |label| texts.give(label)),
        };
        unsafe { put(info, line) };
        Ok(1)
    })
}
/// Gives a list of devices back. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_devices_free(devices: *mut Devices) {
    if !devices.is_null() {
        get((), || unsafe { release(devices) });
    }
}
/// Asks the server for the devices of a person anew; what it says is known once the requests are answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_omemo_refresh_devices(
    machine: *mut CMachine,
    now: u64,
    owner: *const c_char,
    error: *mut *mut CError,
) -> c_int {
    call(error, || {
        let owner: Address = unsafe { name(owner, "owner") }?.into();
        ask(machine, now, "subrosa_machine_omemo_refresh_devices", move |omemo, cx| omemo.refresh_devices(cx, &owner))
    })
}
/// Whether others find this device: `published` becomes 1 where its bundle and its place on the list are published, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_omemo_is_published(
    machine: *mut CMachine,
    now: u64,
    published: *mut c_int,
    error: *mut *mut CError,
) -> c_int {
    unsafe { put(published, 0) };
    call(error, || {
        let answer = ask(machine, now, "subrosa_machine_omemo_is_published", |omemo, cx| omemo.is_published(cx))?;
        unsafe { put(published, answer.into()) };
        Ok(())
    })
}
/// Takes this device off the account: done when the requests are answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_omemo_unpublish(machine: *mut CMachine, now: u64, error: *mut *mut CError) -> c_int {
    call(error, || ask(machine, now, "subrosa_machine_omemo_unpublish", |omemo, cx| omemo.unpublish(cx)))
}
/// Starts a new session with a device in the place of a broken one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_omemo_replace_session(
    machine: *mut CMachine,
    now: u64,
    with: *const CDevice,
    error: *mut *mut CError,
) -> c_int {
    call(error, || {
        let device = unsafe { device_of(with) }?;
        ask(machine, now, "subrosa_machine_omemo_replace_session", move |omemo, cx| omemo.replace_session(cx, &device))??;
        Ok(())
    })
}
