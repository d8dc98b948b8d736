//! Pinned cards, in groups and in one-to-one chats with a robot.

use super::{Caller, OwnerKind, People, PinnedCard, Refusal, World};

/// Where a card is pinned.
#[derive(Debug)]
pub(crate) enum CardPlace {
    /// A scenario group; one that has this template, where it is named.
    Group { id: String, template_id: Option<String> },
    /// A chat of a robot with one person.
    Chat { robot_code: String, kind: OwnerKind, person: String },
}

/// A board with room for cards.
enum Board {
    Group(String),
    Chat(String),
}

impl World {
    /// Pinning the same card again changes nothing, whatever its new content is.
    pub(crate) fn pin_card(
        &mut self,
        caller: &Caller,
        place: &CardPlace,
        card: PinnedCard,
    ) -> Result<(), Refusal> {
        let board = self.board(caller, place)?;
        self.check_card(caller, &card)?;
        let now = self.clock.now_ms();
        let open = |card: &PinnedCard| card.expires_at_ms.is_none_or(|end| now < end);
        if !open(&card) {
            return Err(Refusal::Invalid("expiredTime"));
        }
        let limit = self.rules.limits.cards_per_group;
        let cards = self.cards(&board)?;
        cards.retain(open);
        if cards.iter().any(|old| old.out_track_id == card.out_track_id) {
            return Ok(());
        }
        let full = cards.len() >= limit;
        let groups = self.groups.values().map(|group| &group.pinned_cards);
        let elsewhere = groups.chain(self.chat_cards.values()).flatten();
        if elsewhere.into_iter().any(|old| old.out_track_id == card.out_track_id && open(old)) {
            return Err(Refusal::CardTaken);
        }
        if full {
            return Err(Refusal::TooManyCards);
        }
        self.cards(&board)?.push(card);
        Ok(())
    }

    /// Takes an open card down.
    pub(crate) fn unpin_card(
        &mut self,
        caller: &Caller,
        place: &CardPlace,
        out_track_id: &str,
    ) -> Result<(), Refusal> {
        let board = self.board(caller, place)?;
        let now = self.clock.now_ms();
        let cards = self.cards(&board)?;
        cards.retain(|card| card.expires_at_ms.is_none_or(|end| now < end));
        let index = cards.iter().position(|card| card.out_track_id == out_track_id);
        cards.remove(index.ok_or(Refusal::CardUnknown)?);
        Ok(())
    }

    fn board(&self, caller: &Caller, place: &CardPlace) -> Result<Board, Refusal> {
        match place {
            CardPlace::Group { id, template_id } => {
                let group = self.live_scene(caller, id)?;
                if template_id.is_some() && group.template_id != *template_id {
                    return Err(Refusal::NoTemplate);
                }
                Ok(Board::Group(group.chatid.clone()))
            }
            CardPlace::Chat { robot_code, kind, person } => {
                self.own_robot(caller, robot_code)?;
                let corp = self.corp(caller);
                let known = match kind {
                    OwnerKind::Employee => corp.users.contains_key(person),
                    OwnerKind::External => corp.has_union_id(person),
                };
                if !known {
                    return Err(Refusal::UserUnknown(person.clone()));
                }
                Ok(Board::Chat(format!("{robot_code} {person}")))
            }
        }
    }

    fn cards(&mut self, board: &Board) -> Result<&mut Vec<PinnedCard>, Refusal> {
        Ok(match board {
            Board::Group(chatid) => {
                &mut self.groups.get_mut(chatid).ok_or(Refusal::GroupUnknown)?.pinned_cards
            }
            Board::Chat(key) => self.chat_cards.entry(key.clone()).or_default(),
        })
    }

    fn check_card(&self, caller: &Caller, card: &PinnedCard) -> Result<(), Refusal> {
        let corp = self.corp(caller);
        let receivers = People { users: card.receivers.clone(), contacts: card.external_receivers.clone() };
        receivers.at_most(self.rules.limits.card_receivers)?;
        let stranger = receivers.each().find(|(kind, id)| match kind {
            OwnerKind::Employee => !corp.users.contains_key(*id),
            OwnerKind::External => !corp.has_union_id(id),
        });
        if let Some((_, id)) = stranger {
            return Err(Refusal::ReceiverUnknown(id.clone()));
        }
        let private = card.private_params.keys().find(|id| {
            let id = id.as_str();
            !corp.users.contains_key(id) && !corp.has_union_id(id)
        });
        if let Some(id) = private {
            return Err(Refusal::UserUnknown(id.clone()));
        }
        let mut texts = card.params.values().chain(card.private_params.values().flat_map(|map| map.values()));
        texts.try_for_each(|text| self.check_text(text))
    }
}

impl super::Corp {
    /// Employees have unionIds too.
    pub(super) fn has_union_id(&self, id: &str) -> bool {
        self.external_contacts.contains_key(id) || self.users.values().any(|user| user.union_id == id)
    }
}
